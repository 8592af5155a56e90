import { type Dirent, readdirSync } from "node:fs";
import { systemCode } from "@lifecycle/syscall";

/**
 * The entries of a directory by the bytes of their names, the order in which buildpack outputs are processed; none if
 * the directory does not exist.
 */
export function readDirSorted(path: string): Dirent[] {
  try {
    return readdirSync(path, { withFileTypes: true }).sort((a, b) => compareBytes(a.name, b.name));
  } catch (error) {
    if (isNotFound(error)) return [];
    throw error;
  }
}

/** Orders strings by their UTF-8 bytes. */
export function compareBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

/** Whether a file operation failed since there is no such file. */
export function isNotFound(error: unknown): boolean {
  return systemCode(error) === "ENOENT";
}
