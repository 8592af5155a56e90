import { availableParallelism } from "node:os";
import { promisify } from "node:util";
import * as zlib from "node:zlib";
import { collectGarbage } from "./collect-garbage.ts";
import { crc32 } from "./crc32.ts";

/** How much is compressed at once, in bytes. Part of the format: another size gives other bytes. */
const blockLength = 1 << 20;

/** How much of what came before a block it may refer to (RFC 1951), in bytes. */
const windowLength = 1 << 15;

/** Blocks that are in memory at the same time, of all streams together: two for each core that is used. */
const blocksAtOnce = Math.min(availableParallelism(), 8) * 2;

/** Streams that are being compressed. */
let streams = 0;

/** After this many blocks, what was needed for them is cleared away. */
const blocksBetweenCollections = 16;

/** Blocks that were begun so far. */
let blocksBegun = 0;

/** How much output is taken from the thread pool at once, in bytes. */
const outputLength = 1 << 18;

/**
 * Level 3 of zlib: in the shipped executables within a few percent of level 2's speed at a smaller output, and ahead
 * of libdeflate's lowest level in both (docs/layer-bytes.md has the figures).
 */
const level = 3;

/** A block is told by so many pieces of that many bytes whether it can be compressed: a sixteenth of it. */
const probe = { pieces: 16, length: 1 << 12 } as const;

/** The most that a stored block can hold (RFC 1951), in bytes. */
const storedLength = 0xffff;

const deflateBlock = promisify<Uint8Array, zlib.ZlibOptions, Buffer>(zlib.deflateRaw);

/** ID, method deflate, no flags, no time, no extra flags, unknown system (RFC 1952). */
const gzipHeader = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff]);

/** A last block with nothing in it (RFC 1951): after this the deflate stream is complete. */
const lastBlock = Buffer.from([0x03, 0x00]);

/**
 * Compresses a stream to one gzip member. Blocks of 1 MiB are compressed at the same time on the thread pool, each
 * with the end of the one before as its dictionary, so the bytes depend on the input alone: not on how it was cut into
 * chunks, on timing, or on the number of cores. Streams that run at the same time share the memory for their blocks.
 * @param source its chunks must not be changed by the source after it handed them out
 */
export async function* gzip(source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const compressing: Promise<Buffer>[] = [];
  let dictionary: Uint8Array | undefined;
  let checksum = 0;
  let length = 0n;

  yield gzipHeader;
  streams++;
  try {
    for await (const block of blocksOf(source)) {
      checksum = crc32(block, checksum);
      length += BigInt(block.length);
      const compressed = isCompressible(block) ? deflate(block, dictionary) : Promise.resolve(stored(block));
      // Awaited in its turn; until then a failure must not count as unhandled.
      compressed.catch(() => {});
      compressing.push(compressed);
      dictionary = block.subarray(-windowLength);
      if (++blocksBegun % blocksBetweenCollections === 0) collectGarbage();
      if (compressing.length < Math.max(blocksAtOnce / streams, 2)) continue;
      const oldest = await compressing.shift();
      if (oldest !== undefined) yield oldest;
    }
    for (const rest of compressing.splice(0)) yield await rest;
  } finally {
    streams--;
    await Promise.allSettled(compressing);
  }
  const trailer = Buffer.alloc(8);
  trailer.writeUInt32LE(checksum, 0);
  trailer.writeUInt32LE(Number(length & 0xffff_ffffn), 4);
  yield Buffer.concat([lastBlock, trailer]);
}

/** Compresses a block; what comes out ends with a whole byte. */
function deflate(block: Uint8Array, dictionary: Uint8Array | undefined): Promise<Buffer> {
  return deflateBlock(block, {
    level,
    chunkSize: outputLength,
    finishFlush: zlib.constants.Z_SYNC_FLUSH,
    ...(dictionary === undefined ? {} : { dictionary }),
  });
}

/** Whether compressing is worth its time, which archives, pictures and the like take most of and give nothing for. */
function isCompressible(block: Uint8Array): boolean {
  const { pieces, length } = probe;
  if (block.length < pieces * length) return true;
  const distance = Math.floor(block.length / pieces);
  const sample = Buffer.concat(
    Array.from({ length: pieces }, (_, piece) => block.subarray(piece * distance, piece * distance + length)),
  );
  return zlib.deflateRawSync(sample, { level: 1 }).length < sample.length;
}

/** A block as it is (RFC 1951, "Non-compressed blocks"). */
function stored(block: Uint8Array): Buffer {
  const parts: Uint8Array[] = [];
  for (let start = 0; start < block.length; start += storedLength) {
    const part = block.subarray(start, start + storedLength);
    const header = Buffer.alloc(5);
    header.writeUInt16LE(part.length, 1);
    header.writeUInt16LE(~part.length & 0xffff, 3);
    parts.push(header, part);
  }
  return Buffer.concat(parts);
}

/** Cuts a stream into blocks of `blockLength`, the last one shorter; a chunk of just that size is passed on as it is. */
async function* blocksOf(source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let block: Uint8Array | undefined;
  let used = 0;
  for await (const chunk of source) {
    let rest = chunk;
    while (rest.length > 0) {
      if (used === 0 && rest.length >= blockLength) {
        yield rest.subarray(0, blockLength);
        rest = rest.subarray(blockLength);
        continue;
      }
      block ??= Buffer.allocUnsafeSlow(blockLength);
      const taken = rest.subarray(0, blockLength - used);
      block.set(taken, used);
      used += taken.length;
      rest = rest.subarray(taken.length);
      if (used < blockLength) continue;
      yield block;
      block = undefined;
      used = 0;
    }
  }
  if (block !== undefined && used > 0) yield block.subarray(0, used);
}
