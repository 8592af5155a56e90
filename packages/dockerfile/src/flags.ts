import { InstructionError } from "./error.ts";

/** Values of an instruction's flags by name, in their order. */
export type Flags = ReadonlyMap<string, readonly string[]>;

/** Flags that may stand without a value. */
const switches = new Set(["link", "keep-git-dir"]);

/**
 * Takes the flags off the beginning of an instruction's arguments.
 * @throws InstructionError `syntax` for a flag that the instruction does not have, and one without its value
 */
export function takeFlags(
  kind: string,
  text: string,
  known: readonly string[],
  escapeToken: string,
): { flags: Flags; rest: string } {
  const flags = new Map<string, string[]>();
  let rest = text;
  for (;;) {
    const word = firstWord(rest, escapeToken);
    if (!word.startsWith("--")) return { flags, rest };
    rest = rest.slice(word.length).trimStart();
    if (word === "--") return { flags, rest };
    const [, name = "", value] = /^--([^=]*)(?:=(.*))?$/s.exec(word) ?? [];
    if (!known.includes(name)) throw new InstructionError("syntax", `${kind} has no flag --${name}`);
    if (value === undefined && !switches.has(name)) {
      throw new InstructionError("syntax", `missing a value on flag: --${name}`);
    }
    flags.set(name, [...(flags.get(name) ?? []), withoutQuotes(value ?? "true", escapeToken)]);
  }
}

function firstWord(text: string, escapeToken: string): string {
  let quote = "";
  for (let index = 0; index < text.length; index++) {
    const character = text[index] ?? "";
    if (character === escapeToken && quote !== "'") index++;
    else if (quote === "" && /\s/.test(character)) return text.slice(0, index);
    else if (quote === "" && (character === "'" || character === '"')) quote = character;
    else if (character === quote) quote = "";
  }
  return text;
}

/** Takes quotes away; variables stay, to be expanded when the instruction runs. */
function withoutQuotes(value: string, escapeToken: string): string {
  return value.replace(/(["'])(.*?)\1/gs, (_, quote: string, inner: string) =>
    quote === '"' ? inner.replaceAll(`${escapeToken}"`, '"') : inner,
  );
}
