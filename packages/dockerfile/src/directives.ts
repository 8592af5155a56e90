import { InstructionError } from "./error.ts";

/** What the comments at the very top of a Dockerfile say of how to read it. */
export interface Directives {
  /** The character that escapes the next one and, at the end of a line, continues it. */
  readonly escapeToken: "\\" | "`";
  /** How many lines were directives. */
  readonly lines: number;
}

const directive = /^[ \t]*#[ \t]*([a-zA-Z][a-zA-Z0-9]*)[ \t]*=[ \t]*(.+?)[ \t]*$/;
const known = new Set(["escape", "syntax", "check"]);

/**
 * Reads parser directives: `# name=value`, before any other line. `syntax` and `check` concern builders of other kinds
 * and are passed over; the first comment that is no directive ends them.
 * @throws InstructionError `syntax` for an escape character that is neither, and for a directive given twice
 */
export function readDirectives(lines: readonly string[]): Directives {
  let escapeToken: Directives["escapeToken"] = "\\";
  const seen = new Set<string>();
  let count = 0;
  for (const line of lines) {
    const [, name = "", value = ""] = directive.exec(line) ?? [];
    const key = name.toLowerCase();
    if (!known.has(key)) break;
    if (seen.has(key)) throw new InstructionError("syntax", `only one ${key} parser directive can be used`);
    seen.add(key);
    count++;
    if (key !== "escape") continue;
    if (value !== "\\" && value !== "`") {
      throw new InstructionError("syntax", `invalid escape token '${value}' does not match \` or \\`);
    }
    escapeToken = value;
  }
  return { escapeToken, lines: count };
}
