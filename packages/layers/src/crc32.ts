import * as zlib from "node:zlib";

/**
 * The CRC-32 that gzip ends with (RFC 1952), continued from that of the bytes before. zlib's own where it has one
 * (Bun, Node.js from 20.15); the table is for the few versions before.
 */
export const crc32: (bytes: Uint8Array, before: number) => number = "crc32" in zlib ? zlib.crc32 : tableCrc32;

const table = Uint32Array.from({ length: 256 }, (_, index) => {
  let value = index;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value >>> 0;
});

/** CRC-32 with one table look-up per byte. */
export function tableCrc32(bytes: Uint8Array, before: number): number {
  let value = ~before;
  for (const byte of bytes) value = (value >>> 8) ^ (table[(value ^ byte) & 0xff] ?? 0);
  return ~value >>> 0;
}
