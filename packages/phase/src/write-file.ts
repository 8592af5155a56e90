import { lstatSync, mkdirSync, realpathSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { systemCode } from "@lifecycle/syscall";

/**
 * Writes a whole file or none: a reader sees the old content or the new one, also after a crash or on a full disk.
 * Missing directories on the way are made. A symlink is followed; what is no regular file (`/dev/stdout`, a pipe) or
 * cannot be replaced (a file mounted by itself) is written in place.
 */
export function writeFileAtomic(path: string, content: string): void {
  mkdirSync(dirname(path), { recursive: true });
  const target = targetOf(path);
  if (target === undefined) {
    writeFileSync(path, content);
    return;
  }
  const temporary = `${target}.${process.pid}.tmp`;
  try {
    // Of a process that was killed: in containers, the next one has its number.
    rmSync(temporary, { force: true, recursive: true });
    writeFileSync(temporary, content, { flag: "wx" });
    renameSync(temporary, target);
  } catch (error) {
    removeIfPossible(temporary);
    if (!["EACCES", "EPERM", "EBUSY", "EROFS"].includes(systemCode(error) ?? "")) {
      throw error;
    }
    writeFileSync(target, content);
  }
}

/** Removes a file; where that fails, on a read-only file system say, what the caller says names the file that matters. */
function removeIfPossible(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch {
    // It is not there, or stays.
  }
}

/** The file to replace, through symlinks; undefined for what is no regular file. */
function targetOf(path: string): string | undefined {
  const stats = lstatSync(path, { throwIfNoEntry: false });
  if (stats === undefined) {
    return path;
  }
  if (!stats.isSymbolicLink()) {
    return stats.isFile() ? path : undefined;
  }
  try {
    const real = realpathSync(path);
    return lstatSync(real).isFile() ? real : undefined;
  } catch {
    return undefined;
  }
}
