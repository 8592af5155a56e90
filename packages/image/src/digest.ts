import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { ImageError } from "./errors.ts";

/** The sha256 of some bytes as the OCI spec writes it: `sha256:` and 64 lowercase hex digits. */
export type Digest = `sha256:${string}`;

const pattern = /^sha256:[0-9a-f]{64}$/;

/** Whether `text` is a sha256 digest in its canonical form. */
export function isDigest(text: unknown): text is Digest {
  return typeof text === "string" && pattern.test(text);
}

/**
 * Parses a digest.
 * @param text what should be a digest
 * @param where what holds it, for the message
 * @throws ImageError code `invalid` for any other algorithm, length or letter case
 */
export function parseDigest(text: unknown, where = "digest"): Digest {
  if (!isDigest(text)) throw new ImageError("invalid", `${where}: ${JSON.stringify(text)} is not a sha256 digest`);
  return text;
}

/** The 64 hex digits of a digest, without `sha256:`. */
export function digestHex(digest: Digest): string {
  return digest.slice("sha256:".length);
}

/** The digest of bytes that are in memory. */
export function digestOf(bytes: Uint8Array | string): Digest {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}

/** The digest of what a file holds, which is not kept in memory. */
export async function digestOfFile(path: string): Promise<Digest> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return `sha256:${hash.digest("hex")}`;
}
