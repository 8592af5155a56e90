import { joinPath } from "@lifecycle/env";
import type { Host } from "./host.ts";

/**
 * Path to execute for a program's name: a name with a slash is a path, from the working directory if it is relative;
 * any other is looked for in the directories of `pathList`.
 *
 * @throws Error if there is no such executable, or if it was found through a relative directory of the list
 */
export function lookPath(program: string, pathList: string, host: Host): string {
  if (program.includes("/")) {
    const reason = host.whyNotExecutable(program);
    if (reason === undefined) return program;
    throw new Error(`exec: "${program}": ${reason}`);
  }
  for (const dir of program === "" || pathList === "" ? [] : pathList.split(":")) {
    const path = joinPath(dir === "" ? "." : dir, program);
    if (host.whyNotExecutable(path) !== undefined) continue;
    if (!path.startsWith("/")) {
      throw new Error(`exec: "${program}": cannot run executable found relative to current directory`);
    }
    return path;
  }
  throw new Error(`exec: "${program}": executable file not found in $PATH`);
}
