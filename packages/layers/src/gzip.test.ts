import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { gunzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { crc32, tableCrc32 } from "./crc32.ts";
import { gzip } from "./gzip.ts";

async function collect(stream: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}

async function* inPieces(bytes: Buffer, length: number): AsyncGenerator<Uint8Array> {
  for (let start = 0; start < bytes.length; start += length) yield bytes.subarray(start, start + length);
}

/** Text that compresses well, with matches across block borders, then noise that does not. */
const sample = Buffer.concat([
  Buffer.from(Array.from({ length: 150_000 }, (_, n) => `line ${n * 7919} of some text\n`).join("")),
  randomBytes(300_000),
]);

describe("gzip", () => {
  it.each([
    ["nothing", Buffer.alloc(0)],
    ["one byte", Buffer.from("x")],
    ["exactly one block", sample.subarray(0, 1 << 20)],
    ["several blocks", sample],
  ])("of %s is read by gzip and zlib as one member", async (_, bytes) => {
    const compressed = await collect(gzip([bytes]));
    expect(gunzipSync(compressed).equals(bytes)).toBe(true);
    expect(execFileSync("gzip", ["-dc"], { input: compressed, maxBuffer: 1 << 26 }).equals(bytes)).toBe(true);
    expect(compressed.indexOf(Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff]), 1)).toBe(-1);
  });

  it("stores what does not compress, and compresses what is around it", async () => {
    const noise = randomBytes(3 << 20);
    const bytes = Buffer.concat([sample, noise, sample]);
    const compressed = await collect(gzip([bytes]));
    expect(gunzipSync(compressed).equals(bytes)).toBe(true);
    expect(compressed.indexOf(noise.subarray(1 << 20, (1 << 20) + 1000))).toBeGreaterThan(0);
    const around = (await collect(gzip([sample]))).length;
    expect(compressed.length).toBeLessThan(noise.length * 1.01 + 2 * around);
  });

  it("gives the same bytes however the input is cut", async () => {
    const whole = await collect(gzip([sample]));
    for (const length of [997, 65_536, 1 << 20, (1 << 20) + 1]) {
      expect((await collect(gzip(inPieces(sample, length)))).equals(whole)).toBe(true);
    }
  });

  it("does not hold the whole: 1 GiB of zeros", async () => {
    const zeros = Buffer.alloc(1 << 20);
    const before = process.memoryUsage.rss();
    let peak = 0;
    let length = 0;
    async function* source(): AsyncGenerator<Uint8Array> {
      for (let block = 0; block < 1024; block++) yield zeros;
    }
    for await (const chunk of gzip(source())) {
      length += chunk.length;
      peak = Math.max(peak, process.memoryUsage.rss());
    }
    expect(length).toBeLessThan(6 * 2 ** 20);
    expect(peak - before).toBeLessThan(256 * 2 ** 20);
  });

  it("passes on a failure of its source", async () => {
    async function* failing(): AsyncGenerator<Uint8Array> {
      yield sample;
      throw new Error("disk on fire");
    }
    await expect(collect(gzip(failing()))).rejects.toThrow("disk on fire");
  });
});

describe("crc32", () => {
  it("is the same from zlib and from the table", () => {
    const half = sample.length >> 1;
    const continued = tableCrc32(sample.subarray(half), tableCrc32(sample.subarray(0, half), 0));
    expect(continued).toBe(crc32(sample, 0));
    expect(tableCrc32(Buffer.from("123456789"), 0)).toBe(0xcbf43926);
  });
});
