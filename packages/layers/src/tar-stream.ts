import { closeSync, constants, openSync, readSync } from "node:fs";
import { reasonOf } from "@lifecycle/syscall";
import { type BytePath, toFileSystem, toText } from "./byte-path.ts";
import { LayerError } from "./errors.ts";
import type { TarEntry } from "./tar-entry.ts";
import { blockSize, encodeHeader } from "./tar-header.ts";

/** The size of every chunk of a tar stream but the last one, in bytes. */
export const chunkSize = 1 << 20;

/**
 * The bytes of a tar archive with the given entries, its two end blocks included and nothing after them, in chunks of
 * `chunkSize`. What is read is what a file's entry announced: a file that grew or shrank since is an error.
 *
 * Files are read with synchronous calls, which take a tenth of the asynchronous ones' time for the many small files
 * that layers hold. Each chunk leaves the caller room to do other things.
 * @param options.reuseBuffer hand out the same buffer again and again, for callers that are done with a chunk when
 *   they ask for the next one
 * @throws LayerError `changed` or `unreadable`
 */
export function* tarStream(
  entries: Iterable<TarEntry>,
  options: { readonly reuseBuffer?: boolean } = {},
): Generator<Buffer> {
  let chunk = Buffer.allocUnsafeSlow(chunkSize);
  let used = 0;

  function* emitIfFull(): Generator<Buffer> {
    if (used < chunkSize) return;
    yield chunk;
    used = 0;
    if (options.reuseBuffer !== true) chunk = Buffer.allocUnsafeSlow(chunkSize);
  }

  function* put(bytes: Buffer): Generator<Buffer> {
    for (let start = 0; start < bytes.length; ) {
      const copied = bytes.copy(chunk, used, start);
      start += copied;
      used += copied;
      yield* emitIfFull();
    }
  }

  function* putFile(path: BytePath, descriptor: number, size: number): Generator<Buffer> {
    let remaining = size;
    for (;;) {
      // One byte more than there should be, to see in the same call that there is none.
      const wanted = Math.min(remaining + 1, chunkSize - used);
      const read = readFile(path, descriptor, chunk, used, wanted);
      if (read > remaining) throw changed(path, `grew past its size of ${size} bytes`);
      if (read === 0 && remaining > 0) throw changed(path, `ended ${remaining} bytes before its size of ${size} bytes`);
      remaining -= read;
      used += read;
      yield* emitIfFull();
      if (remaining === 0 && read < wanted) return;
    }
  }

  for (const { header, file } of entries) {
    yield* put(encodeHeader(header));
    if (file === undefined) continue;
    const descriptor = openFile(file);
    try {
      yield* putFile(file, descriptor, header.size);
    } finally {
      closeSync(descriptor);
    }
    yield* put(zeros.subarray(0, -header.size & (blockSize - 1)));
  }
  yield* put(zeros);
  if (used > 0) yield chunk.subarray(0, used);
}

/** The end of an archive; a part of it pads a file's contents. */
const zeros = Buffer.alloc(2 * blockSize);

/** A path that became a symlink or a pipe since it was inspected is neither followed nor waited for. */
const openFlags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

function openFile(path: BytePath): number {
  try {
    return openSync(toFileSystem(path), openFlags);
  } catch (error) {
    throw new LayerError("unreadable", `${toText(path)} cannot be opened: ${reasonOf(error)}`, { cause: error });
  }
}

function readFile(path: BytePath, descriptor: number, into: Buffer, offset: number, length: number): number {
  try {
    return readSync(descriptor, into, offset, length, null);
  } catch (error) {
    throw new LayerError("unreadable", `${toText(path)} cannot be read: ${reasonOf(error)}`, { cause: error });
  }
}

function changed(path: BytePath, what: string): LayerError {
  return new LayerError("changed", `${toText(path)} was changed while it was read: it ${what}`);
}
