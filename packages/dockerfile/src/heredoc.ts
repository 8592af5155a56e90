import { InstructionError } from "./error.ts";
import { expandWords } from "./expand.ts";
import { splitWords } from "./words.ts";

/** A heredoc as an instruction announces it: `<<EOF`, `<< EOF`, `<<-"EOF"`, `3<<EOF`. */
export interface HeredocStart {
  /** The line that ends it. */
  readonly name: string;
  /** Whether tabs at the beginning of lines are dropped (`<<-`). */
  readonly chomp: boolean;
  /** Whether variables in its body are expanded where the instruction does that; not if its name is quoted. */
  readonly expand: boolean;
}

/** A heredoc with its body. */
export interface Heredoc extends HeredocStart {
  /** As written, tabs included; every line ends with a line feed. */
  readonly body: string;
}

/** Instructions that can have heredocs. */
const withHeredocs = /^[ \t]*(?:ONBUILD[ \t]+)?(?:RUN|COPY|ADD)[ \t]/i;

/** A heredoc that a line announces, and whether a space follows `<<`, which can as well be a shift: `$((1 << 2))`. */
export type AnnouncedHeredoc = HeredocStart & { readonly spaced: boolean };

/**
 * The heredocs that a line announces, in the order in which their bodies follow.
 * @throws InstructionError `syntax` for a name with a quote that is not closed
 */
export function heredocsOf(line: string, escapeToken: string): AnnouncedHeredoc[] {
  if (!line.includes("<<") || !withHeredocs.test(line)) return [];
  const found: AnnouncedHeredoc[] = [];
  const words = splitWords(line, escapeToken);
  for (const [index, word] of words.entries()) {
    const spaced = /^\d*<<$/.test(word);
    const start = heredocOf(spaced ? `${word} ${words[index + 1] ?? ""}` : word, escapeToken);
    if (start !== undefined) found.push({ ...start, spaced });
  }
  return found;
}

/** What a single word announces, if it is a heredoc. */
export function heredocOf(word: string, escapeToken: string): HeredocStart | undefined {
  const [, chomp, rawName = ""] = /^\d*<<(-?)\s*([^<]*)$/.exec(word) ?? [];
  if (chomp === undefined) return undefined;
  const [name = "", ...others] = expandWords(rawName, () => undefined, escapeToken);
  if (name === "" || others.length > 0) return undefined;
  return { name, chomp: chomp === "-", expand: !/["']/.test(rawName) };
}

/**
 * Takes a heredoc's body from the lines that follow.
 * @param next gives the next line, or undefined at the end
 * @throws InstructionError `syntax` if the end is missing
 */
export function readHeredoc(start: HeredocStart, next: () => string | undefined): Heredoc {
  const body: string[] = [];
  for (let line = next(); line !== undefined; line = next()) {
    if ((start.chomp ? line.replace(/^\t+/, "") : line) === start.name) {
      return { ...start, body: body.map((text) => `${text}\n`).join("") };
    }
    body.push(line);
  }
  throw new InstructionError("syntax", `unterminated heredoc: there is no line '${start.name}'`);
}

/** The body as the program or the file gets it. */
export function heredocContent(heredoc: Heredoc): string {
  return heredoc.chomp ? heredoc.body.replace(/^\t+/gm, "") : heredoc.body;
}
