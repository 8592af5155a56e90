import { randomBytes } from "node:crypto";
import * as zlib from "node:zlib";
import { expect, test } from "vitest";
import { digestOf } from "./digest.ts";
import { decompressed, verified } from "./verified.ts";

async function* chunksOf(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let start = 0; start < bytes.length; start += size) yield bytes.subarray(start, start + size);
}

async function collect(source: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of source) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** A zstd frame with one block that is not compressed (RFC 8878, section 3.1.1). */
function zstdFrame(content: Buffer): Buffer {
  const block = (content.length << 3) | 1;
  const head = [0x28, 0xb5, 0x2f, 0xfd, 0x20, content.length, block & 255, (block >> 8) & 255, block >> 16];
  return Buffer.concat([Buffer.from(head), content]);
}

test.each([1, 3, 1000])(
  "a blob is decompressed whatever it is compressed with, in chunks of %d bytes",
  async (size) => {
    const tar = randomBytes(200);
    const blobs = [
      tar,
      zlib.gzipSync(tar),
      Buffer.concat([zlib.gzipSync(tar.subarray(0, 9)), zlib.gzipSync(tar.subarray(9))]),
    ];
    for (const blob of blobs) expect(await collect(decompressed(chunksOf(blob, size), "layer"))).toEqual(tar);
    const zstd = collect(decompressed(chunksOf(zstdFrame(tar), size), "layer"));
    if ("createZstdDecompress" in zlib) expect(await zstd).toEqual(tar);
    else await expect(zstd).rejects.toThrow("layer: this runtime cannot read zstd");
  },
);

test("an empty blob is an empty tar", async () => {
  expect(await collect(decompressed(chunksOf(Buffer.alloc(0), 1), "layer"))).toHaveLength(0);
});

test("a gzip stream that ends too early is corrupt", async () => {
  const blob = zlib.gzipSync(randomBytes(1000));
  const broken = collect(decompressed(chunksOf(blob.subarray(0, 500), 100), "layer"));
  await expect(broken).rejects.toMatchObject({ code: "corrupt" });
});

test("an error of the source comes through, and the source is let go", async () => {
  const state = { closed: false };
  async function* failing(): AsyncGenerator<Uint8Array> {
    try {
      yield zlib.gzipSync(randomBytes(1000)).subarray(0, 500);
      throw new Error("connection lost");
    } finally {
      state.closed = true;
    }
  }
  await expect(collect(decompressed(failing(), "layer"))).rejects.toThrow("connection lost");
  expect(state.closed).toBe(true);
});

test("who leaves the loop lets the source go", async () => {
  const state = { closed: false };
  async function* endless(): AsyncGenerator<Uint8Array> {
    try {
      const gzip = zlib.gzipSync(randomBytes(100_000));
      for (;;) yield gzip;
    } finally {
      state.closed = true;
    }
  }
  for await (const chunk of decompressed(endless(), "layer")) {
    expect(chunk.length).toBeGreaterThan(0);
    break;
  }
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(state.closed).toBe(true);
});

test("more bytes than announced are not read on", async () => {
  let read = 0;
  async function* endless(): AsyncGenerator<Uint8Array> {
    for (;;) {
      read++;
      yield Buffer.alloc(10);
    }
  }
  await expect(collect(verified(endless(), digestOf(""), 25, "blob"))).rejects.toThrow(
    /expected 25 bytes .* found more/,
  );
  expect(read).toBe(3);
});
