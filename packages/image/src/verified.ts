import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import * as zlib from "node:zlib";
import type { Digest } from "./digest.ts";
import { ImageError } from "./errors.ts";

/**
 * Passes a blob on and makes sure that it is the one that was asked for.
 * @param size in bytes; undefined if only the digest is known
 * @param where what the bytes are, for the message
 * @throws ImageError `corrupt`, at the latest when the source ends, and as soon as it exceeds `size`
 */
export async function* verified(
  source: AsyncIterable<Uint8Array>,
  digest: Digest,
  size: number | undefined,
  where: string,
): AsyncGenerator<Uint8Array> {
  const hash = createHash("sha256");
  let length = 0;
  for await (const chunk of source) {
    length += chunk.length;
    if (size !== undefined && length > size) break;
    hash.update(chunk);
    yield chunk;
  }
  if (size !== undefined && length !== size) {
    const found = length > size ? "more" : `${length}`;
    throw new ImageError("corrupt", `${where}: expected ${size} bytes of ${digest}, found ${found}`);
  }
  const actual: Digest = `sha256:${hash.digest("hex")}`;
  if (actual !== digest) throw new ImageError("corrupt", `${where}: expected digest ${digest}, found ${actual}`);
}

/**
 * Fetches something again, once, if it arrives corrupt.
 * @param warn told why
 */
export async function untilIntact<T>(fetch: () => Promise<T>, warn: (message: string) => void): Promise<T> {
  try {
    return await fetch();
  } catch (error) {
    if (!(error instanceof ImageError) || error.code !== "corrupt") throw error;
    warn(`${error.message}; fetching it again`);
    return fetch();
  }
}

/**
 * The tar in a layer's blob, which may be gzip, zstd or not compressed; its first bytes tell.
 * @param where what the bytes are, for messages
 * @throws ImageError `corrupt` if the compressed stream is broken
 */
export async function* decompressed(source: AsyncIterable<Uint8Array>, where: string): AsyncGenerator<Uint8Array> {
  const chunks = source[Symbol.asyncIterator]();
  const head: Uint8Array[] = [];
  try {
    for (let length = 0; length < 4; ) {
      const next = await chunks.next();
      if (next.done) break;
      head.push(next.value);
      length += next.value.length;
    }
  } catch (error) {
    await chunks.return?.();
    throw error;
  }
  const rest = replay(head, chunks);
  const decompressor = decompressorFor(Buffer.concat(head), where);
  if (decompressor === undefined) {
    yield* rest;
    return;
  }
  const input = Readable.from(rest, { objectMode: false });
  input.on("error", (error) => decompressor.destroy(error));
  input.pipe(decompressor);
  try {
    for await (const chunk of decompressor) yield chunk as Buffer;
  } catch (cause) {
    if (cause instanceof ImageError) throw cause;
    throw new ImageError("corrupt", `${where}: cannot be decompressed: ${(cause as Error).message}`, { cause });
  } finally {
    input.destroy();
    decompressor.destroy();
  }
}

async function* replay(head: readonly Uint8Array[], rest: AsyncIterator<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    yield* head;
    for (let next = await rest.next(); !next.done; next = await rest.next()) yield next.value;
  } finally {
    await rest.return?.();
  }
}

/** How much is taken from the thread pool at once, in bytes: with zlib's own 16 KiB, a third of the time goes into that. */
const chunkSize = 1 << 18;

function decompressorFor(head: Buffer, where: string): zlib.Gunzip | undefined {
  if (head[0] === 0x1f && head[1] === 0x8b) return zlib.createGunzip({ chunkSize });
  if (head.length < 4 || head.readUInt32LE(0) !== 0xfd2fb528) return undefined;
  // Node has it from 22.15 on, Bun always.
  const { createZstdDecompress } = zlib as { createZstdDecompress?: (options: zlib.ZlibOptions) => zlib.Gunzip };
  if (createZstdDecompress === undefined) {
    throw new ImageError("invalid", `${where}: this runtime cannot read zstd; Node.js 22.15 or later can`);
  }
  return createZstdDecompress({ chunkSize });
}
