import { readFileSync } from "node:fs";
import { posix } from "node:path";

/** Says of a path in the context, relative and without a leading slash, whether it is left out. */
export interface IgnoreRules {
  leavesOut(path: string): boolean;
  /** Whether something below a directory that is left out may be in nevertheless. */
  hasExceptionsBelow(path: string): boolean;
}

interface Rule {
  readonly text: string;
  readonly pattern: RegExp;
  readonly exception: boolean;
}

/** Nothing is left out. */
export const noIgnoreRules: IgnoreRules = { leavesOut: () => false, hasExceptionsBelow: () => false };

/**
 * Reads the first of these files that is there, as Docker reads a .dockerignore: a pattern per line, `*` within a name,
 * `**` across names, `!` before an exception; the last match decides, and what holds for a directory holds for all in it.
 */
export function readIgnoreFile(paths: readonly string[]): IgnoreRules {
  for (const path of paths) {
    try {
      return ignoreRules(
        readFileSync(path, "utf8")
          .replace(/^\ufeff/, "")
          .split(/\r?\n/),
      );
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "ENOENT")) throw error;
    }
  }
  return noIgnoreRules;
}

/** @param lines patterns, comments and empty lines */
export function ignoreRules(lines: readonly string[]): IgnoreRules {
  const rules: Rule[] = [];
  for (const line of lines) {
    if (line.startsWith("#")) continue;
    const text = line.trim();
    const exception = text.startsWith("!");
    const pattern = posix
      .normalize(exception ? text.slice(1).trim() : text)
      .replace(/^\/+|\/+$/g, "")
      .replace(/(?:\*\*\/)+/g, "**/");
    if (text === "" || pattern === "" || pattern === ".") continue;
    rules.push({ text: pattern, pattern: patternOf(pattern), exception });
  }
  return {
    hasExceptionsBelow: (path) => rules.some(({ text, exception }) => exception && text.startsWith(`${path}/`)),
    leavesOut: (path) => {
      let out = false;
      for (const { pattern, exception } of rules) if (out === exception && pattern.test(path)) out = !exception;
      return out;
    },
  };
}

/** Matches the path itself and everything below it. */
function patternOf(pattern: string): RegExp {
  let source = "";
  for (let index = 0; index < pattern.length; index++) {
    const character = pattern[index] ?? "";
    if (character === "*" && pattern[index + 1] === "*") {
      index++;
      if (pattern[index + 1] === "/") index++;
      source += index + 1 >= pattern.length ? ".*" : "(?:.*/)?";
    } else if (character === "*") source += "[^/]*";
    else if (character === "?") source += "[^/]";
    else if (character === "[") {
      const end = pattern.indexOf("]", index + 2);
      const set = end < 0 ? undefined : pattern.slice(index + 1, end).replaceAll("\\", "\\\\");
      source += set === undefined ? "\\[" : `[${set}]`;
      if (end >= 0) index = end;
    } else if (character === "\\") source += escaped(pattern[++index] ?? "\\");
    else source += escaped(character);
  }
  return new RegExp(`^${source}(?:/.*)?$`, "s");
}

function escaped(character: string): string {
  return character.replace(/[\\^$.*+?()[\]{}|/]/, "\\$&");
}
