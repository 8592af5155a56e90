import { posix } from "node:path";
import { readOutputFile } from "@lifecycle/buildpack";
import { toBytePath, toText } from "@lifecycle/layers";
import { IgnorePattern } from "./ignore-pattern.ts";
import { RootPaths } from "./root-paths.ts";

/** Says of a path in the context, relative and without a leading slash, whether it is left out. */
export interface IgnoreRules {
  leavesOut(path: string): boolean;
  /** Whether something below a directory that is left out may be in nevertheless. */
  hasExceptionsBelow(path: string): boolean;
}

interface Rule {
  readonly text: string;
  readonly pattern: IgnorePattern;
  readonly exception: boolean;
}

/** Nothing is left out. */
export const noIgnoreRules: IgnoreRules = { leavesOut: () => false, hasExceptionsBelow: () => false };

/**
 * Reads what the .dockerignore of a build context leaves out, as Docker does: a pattern per line, `*` within a name, `**`
 * across names, `!` before an exception; the last match decides, and what holds for a directory holds for all in it.
 * Symlinks stay in the context.
 * @param own a file that counts in its place, if it is there
 * @throws Error naming the path if it is no regular file, too large or not UTF-8
 */
export function readIgnoreFile(context: string, own?: string): IgnoreRules {
  const paths = new RootPaths(context);
  const text =
    (own === undefined ? undefined : readOutputFile(own)) ??
    readOutputFile(toText(paths.host(paths.resolve(toBytePath("/.dockerignore")))));
  return text === undefined ? noIgnoreRules : ignoreRules(text.replace(/^\ufeff/, "").split(/\r?\n/));
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
    rules.push({ text: pattern, pattern: new IgnorePattern(pattern), exception });
  }
  return {
    hasExceptionsBelow: (path) => rules.some(({ text, exception }) => exception && text.startsWith(`${path}/`)),
    leavesOut: (path) => {
      let out = false;
      for (const { pattern, exception } of rules) if (out === exception && pattern.matches(path)) out = !exception;
      return out;
    },
  };
}

/** What `--exclude` leaves out: here an exception counts wherever it matches, below directories that are left out too. */
export function excludeRules(patterns: readonly string[]): IgnoreRules {
  const hasExceptions = patterns.some((pattern) => pattern.trim().startsWith("!"));
  return { ...ignoreRules(patterns), hasExceptionsBelow: () => hasExceptions };
}
