import { readdirSync, type Stats } from "node:fs";
import { setImmediate } from "node:timers/promises";
import { type BytePath, childPath, fromLatin1, toBytePath } from "@lifecycle/layers";
import type { IgnoredPaths } from "./ignored-paths.ts";
import type { RootPaths } from "./root-paths.ts";

/** How many paths are looked at before other work gets its turn. */
const turnLength = 5000;

/**
 * Visits all that a root holds, each directory before what it holds. What is ignored, and all in it, is passed over.
 * @param visit is given a path and what is there, and returns whether to enter it if it is a directory
 * @param options.sorted whether roots that hold the same are walked in the same order
 * @param options.signal ends it with its reason
 */
export async function walkRoot(
  root: RootPaths,
  ignored: IgnoredPaths,
  visit: (path: BytePath, stats: Stats) => boolean,
  { sorted = false, signal }: { readonly sorted?: boolean; readonly signal: AbortSignal | undefined },
): Promise<void> {
  ignored.refresh();
  const open: BytePath[] = [toBytePath("/")];
  let looks = 0;
  for (let directory = open.pop(); directory !== undefined; directory = open.pop()) {
    const names = readdirSync(root.file(directory), { encoding: "latin1" });
    for (const name of sorted ? names.sort() : names) {
      if (++looks % turnLength === 0) await setImmediate();
      signal?.throwIfAborted();
      const path = childPath(directory, fromLatin1(name));
      const stats = ignored.begins(path) ? undefined : root.find(path);
      if (stats !== undefined && visit(path, stats) && stats.isDirectory()) open.push(path);
    }
  }
}
