import { readDirectives } from "./directives.ts";
import { DockerfileError, InstructionError } from "./error.ts";
import { type Heredoc, heredocsOf, readHeredoc } from "./heredoc.ts";

/** An instruction as text: continued lines joined, comments gone, spaces at its end kept. */
export interface LogicalLine {
  readonly text: string;
  /** Of its first line, from 1. */
  readonly line: number;
  readonly heredocs: readonly Heredoc[];
}

const comment = /^[ \t\v\f\r]*#/;
const blank = /^\s*$/;

/**
 * Cuts a Dockerfile into instructions.
 * @throws DockerfileError `syntax`
 */
export function readLogicalLines(text: string, file: string): { escapeToken: "\\" | "`"; lines: LogicalLine[] } {
  const physical = text.replace(/^\ufeff/, "").split(/\r?\n/);
  // What follows the last line feed is no line.
  if (physical.at(-1) === "") physical.pop();
  const directives = reading(file, 1, () => readDirectives(physical));
  const { escapeToken } = directives;
  const lines: LogicalLine[] = [];
  /** The last line of each text, to tell a heredoc from a shift of bits. */
  const lastOf = new Map(physical.map((text, at) => [text, at]));
  let index = directives.lines;
  while (index < physical.length) {
    const first = physical[index++] ?? "";
    const line = index;
    if (blank.test(first) || comment.test(first)) continue;
    let { text: joined, continued } = continuation(first.trimStart(), escapeToken);
    while (continued && index < physical.length) {
      const next = physical[index++] ?? "";
      // Comments and empty lines between continued lines are not part of the instruction and do not end it.
      if (blank.test(next) || comment.test(next)) continue;
      const more = continuation(next, escapeToken);
      joined += more.text;
      continued = more.continued;
    }
    if (blank.test(joined)) continue;
    const heredocs = reading(file, line, () => {
      return heredocsOf(joined, escapeToken)
        .filter(({ name, spaced }) => !spaced || (lastOf.get(name) ?? -1) >= index)
        .map((start) => readHeredoc(start, () => physical[index++]));
    });
    lines.push({ text: joined.trimStart(), line, heredocs });
  }
  return { escapeToken, lines };
}

/** Takes the escape character off a line's end; two of them are an escaped one, which continues nothing. */
function continuation(line: string, escapeToken: string): { text: string; continued: boolean } {
  const trimmed = line.replace(/[ \t]+$/, "");
  const continued = trimmed.endsWith(escapeToken) && !trimmed.endsWith(escapeToken + escapeToken);
  return { text: continued ? trimmed.slice(0, -1) : line, continued };
}

function reading<T>(file: string, line: number, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof InstructionError) throw new DockerfileError(error.code, { file, line }, error.message);
    throw error;
  }
}
