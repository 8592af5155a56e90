import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const dirs = new Set<string>();

/** Runs a step with a directory of its own, which is removed afterwards, also when the process ends in the middle. */
export async function withTempDir<T>(prefix: string, step: (dir: string) => Promise<T>): Promise<T> {
  if (dirs.size === 0) process.on("exit", removeAll);
  const dir = mkdtempSync(join(tmpdir(), prefix));
  dirs.add(dir);
  try {
    return await step(dir);
  } finally {
    remove(dir);
    if (dirs.size === 0) process.off("exit", removeAll);
  }
}

function removeAll(): void {
  for (const dir of dirs) remove(dir);
}

function remove(dir: string): void {
  dirs.delete(dir);
  rmSync(dir, { recursive: true, force: true });
}
