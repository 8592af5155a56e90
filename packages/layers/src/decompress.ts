import { Readable, type Transform } from "node:stream";
import * as zlib from "node:zlib";
import { LayerError, reasonOf } from "./errors.ts";

/** How much is decompressed at once, in bytes. */
const chunkSize = 1 << 18;

const gzipMagic = [0x1f, 0x8b];
const zstdMagic = [0x28, 0xb5, 0x2f, 0xfd];

/**
 * Undoes the compression of a layer's blob: gzip, zstd, or none, told apart by the first bytes, since media types are
 * not always true. Holds a bounded number of bytes.
 * @throws LayerError `corrupt` if the stream is damaged or ends too early; `invalid` for zstd where the runtime has
 *   none (Node.js before 22.15)
 */
export async function* decompress(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const input = source[Symbol.asyncIterator]();
  let start = new Uint8Array(0);
  let ended = false;
  while (start.length < zstdMagic.length && !ended) {
    const next = await input.next();
    if (next.done === true) ended = true;
    else start = Buffer.concat([start, next.value]);
  }
  const whole = joined(start, ended ? undefined : input);
  const decoder = decoderFor(start);
  if (decoder === undefined) {
    yield* whole;
    return;
  }

  let sourceError: unknown;
  const compressed = Readable.from(whole, { objectMode: false });
  compressed.once("error", (error) => {
    sourceError = error;
    decoder.destroy(error);
  });
  try {
    yield* compressed.pipe(decoder);
  } catch (error) {
    if (sourceError !== undefined) throw sourceError;
    throw new LayerError("corrupt", `the layer's compressed data is damaged: ${reasonOf(error)}`, { cause: error });
  } finally {
    compressed.destroy();
    decoder.destroy();
  }
}

async function* joined(
  start: Uint8Array,
  rest: AsyncIterator<Uint8Array> | undefined,
): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    if (start.length > 0) yield start;
    if (rest === undefined) return;
    for (let next = await rest.next(); next.done !== true; next = await rest.next()) yield next.value;
  } finally {
    await rest?.return?.();
  }
}

function decoderFor(start: Uint8Array): Transform | undefined {
  if (begins(start, gzipMagic)) return zlib.createGunzip({ chunkSize });
  if (!begins(start, zstdMagic)) return undefined;
  if (!("createZstdDecompress" in zlib) || typeof zlib.createZstdDecompress !== "function") {
    const needed = "Node.js 22.15 or later, or the compiled executables";
    throw new LayerError("invalid", `the layer is compressed with zstd, which needs ${needed}`);
  }
  return zlib.createZstdDecompress({ chunkSize });
}

function begins(bytes: Uint8Array, magic: readonly number[]): boolean {
  return magic.every((byte, index) => bytes[index] === byte);
}
