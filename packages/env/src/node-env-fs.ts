import { readdirSync, readFileSync, statSync } from "node:fs";
import type { EnvFs } from "./env-fs.ts";

/** `EnvFs` for Node, with names and contents as UTF-8. */
export const nodeEnvFs: EnvFs = {
  stat(path) {
    const stats = statSync(path, { throwIfNoEntry: false });
    if (stats === undefined) return undefined;
    return stats.isDirectory() ? "directory" : "file";
  },
  readDir(path) {
    return unlessMissing(() => readdirSync(path, { withFileTypes: true }))?.map((entry) => ({
      name: entry.name,
      kind: entry.isSymbolicLink() ? "symlink" : entry.isDirectory() ? "directory" : "file",
    }));
  },
  readFile(path) {
    return unlessMissing(() => readFileSync(path, "utf8"));
  },
};

function unlessMissing<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}
