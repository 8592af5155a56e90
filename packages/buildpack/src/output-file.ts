import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { decodeText } from "@lifecycle/spec-types";
import { isNotFound } from "./read-dir.ts";

/** Most bytes that a file written by a buildpack may have to be read. */
const sizeLimit = 64 * 1024 * 1024;

/**
 * The text of a file that a buildpack wrote; undefined if there is none.
 *
 * @throws Error naming the path if it is no regular file, too large to be one of the specs' files, or not UTF-8
 */
export function readOutputFile(path: string): string | undefined {
  const fd = open(path);
  if (fd === undefined) return undefined;
  try {
    const stats = fstatSync(fd);
    if (!stats.isFile()) throw new Error(`read ${path}: not a regular file`);
    if (stats.size > sizeLimit) {
      throw new Error(`read ${path}: ${stats.size} bytes are more than the ${sizeLimit} that are accepted`);
    }
    const content = Buffer.alloc(stats.size);
    let length = 0;
    while (length < content.length) {
      const read = readSync(fd, content, length, content.length - length, length);
      if (read === 0) break;
      length += read;
    }
    return decodeText(content.subarray(0, length), path);
  } finally {
    closeSync(fd);
  }
}

/** Opens without waiting, which a named pipe would else make us do for ever. */
function open(path: string): number | undefined {
  try {
    return openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}
