import { createReadStream } from "node:fs";
import { open } from "node:fs/promises";
import { decompressed } from "@lifecycle/image";
import { extract, LayerError, type ReadEntry, TarReader, toText } from "@lifecycle/layers";
import { isAtTop, type WantedFile } from "./wanted-file.ts";
import { readFromZip, unpackZip } from "./zip.ts";

/** What a stranger's archive may hold. */
export interface ArchiveLimits {
  /** Of all files together. */
  readonly maxBytes: number;
  readonly maxEntries: number;
  /** Ends unpacking with its reason. */
  readonly signal?: AbortSignal;
}

/** What a tar needs beside its files' contents, for each entry: headers, extended headers, padding. In bytes. */
const overheadPerEntry = 4096;

/** Beginnings of compressed files that are not read, for a message. */
const otherFormats: readonly (readonly [string, string])[] = [
  ["fd377a585a00", "xz"],
  ["425a68", "bzip2"],
  ["377abcaf271c", "7z"],
  ["526172211a07", "rar"],
];

/**
 * Unpacks a tar (plain, gzip or zstd) or zip archive into an empty directory; its first bytes tell which it is. Nothing
 * is written outside the directory: absolute names are taken as relative, entries with `..`, links that lead out of
 * it, devices, sockets and pipes are refused.
 *
 * @throws LayerError `refused` or `corrupt`; what was written before stays
 */
export async function unpackArchive(file: string, into: string, limits: ArchiveLimits): Promise<void> {
  const head = await readHead(file);
  if (isZip(head)) return unpackZip(file, into, limits);
  const other = otherFormats.find(([magic]) => head.startsWith(magic));
  if (other !== undefined) {
    throw new LayerError("corrupt", `${other[1]} archives are not supported; use tar, tar.gz, tar.zst or zip`);
  }
  return unpackTar(decompressed(createReadStream(file), "archive"), into, limits);
}

/** As {@link unpackArchive}, from the bytes of a tar. */
export function unpackTar(tar: AsyncIterable<Uint8Array>, into: string, limits: ArchiveLimits): Promise<void> {
  return extract(bounded(tar, limits), { ...limits, root: into, within: into, untrusted: true });
}

/**
 * Reads a file at the top of an archive without unpacking it; reads no further than that file's end.
 *
 * @returns undefined if there is no such file, or a link in its place
 * @throws LayerError `refused` or `corrupt`
 */
export async function readFromArchive(
  file: string,
  wanted: WantedFile,
  limits: ArchiveLimits,
): Promise<Buffer | undefined> {
  if (isZip(await readHead(file))) return readFromZip(file, wanted, limits);
  const chunks: Uint8Array[] = [];
  let state: "before" | "in" | "after" = "before";
  const reader = new TarReader({
    begin: (entry) => {
      if (state === "before" && isWanted(entry, wanted)) state = "in";
    },
    contents: (bytes) => {
      if (state === "in") chunks.push(Uint8Array.from(bytes));
    },
    end: () => {
      if (state === "in") state = "after";
    },
  });
  const isRead = (): boolean => state === "after";
  for await (const chunk of bounded(decompressed(createReadStream(file), "archive"), limits)) {
    reader.write(chunk);
    if (isRead()) return Buffer.concat(chunks);
  }
  return undefined;
}

function isWanted(entry: ReadEntry, { name, maxSize }: WantedFile): boolean {
  return (entry.type === "0" || entry.type === "7") && isAtTop(toText(entry.name), name) && entry.size <= maxSize;
}

/** What inflates without end ends here, whether or not it is part of a file. */
export async function* bounded(
  source: AsyncIterable<Uint8Array>,
  { maxBytes, maxEntries, signal }: ArchiveLimits,
): AsyncGenerator<Uint8Array> {
  let left = maxBytes + maxEntries * overheadPerEntry;
  for await (const chunk of source) {
    signal?.throwIfAborted();
    left -= chunk.length;
    if (left < 0) throw new LayerError("refused", `it unpacks to far more than ${maxBytes} bytes`);
    yield chunk;
  }
}

function isZip(head: string): boolean {
  return /^504b(0304|0506)/.test(head);
}

/** The first bytes, as hexadecimal digits. */
async function readHead(path: string): Promise<string> {
  const file = await open(path);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(8), 0, 8, 0);
    return buffer.toString("hex", 0, bytesRead);
  } finally {
    await file.close();
  }
}
