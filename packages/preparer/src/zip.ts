import { type ArchiveEntry, extractEntries, LayerError, toBytePath, toText } from "@lifecycle/layers";
import * as yauzl from "yauzl";
import type { ArchiveLimits } from "./archive.ts";
import { isAtTop, type WantedFile } from "./wanted-file.ts";

/** How long the target of a symlink may be (PATH_MAX). */
const maxLinkLength = 4096;

/** Kinds of files in Unix modes, as tar calls them. */
const tarTypes: ReadonlyMap<number, string> = new Map([
  [0o010000, "6"],
  [0o020000, "3"],
  [0o060000, "4"],
  [0o100000, "0"],
  [0o120000, "2"],
  [0o140000, "6"],
]);

/**
 * Unpacks a zip archive as `unpackArchive` does. Names with `..`, absolute ones and encrypted entries are refused. Its
 * directory says how much it holds, so one that holds too much is refused before anything is written.
 */
export async function unpackZip(file: string, into: string, limits: ArchiveLimits): Promise<void> {
  try {
    await withZip(file, (zip) => checkSize(zip, limits));
    await withZip(file, (zip) =>
      extractEntries(entriesOf(zip, limits.signal), { ...limits, root: into, within: into, untrusted: true }),
    );
  } catch (error) {
    if (error instanceof LayerError || limits.signal?.aborted) throw error;
    throw new LayerError("corrupt", `the zip archive cannot be read: ${(error as Error).message}`, { cause: error });
  }
}

/** Reads a file of a zip archive as `readFromArchive` does. */
export function readFromZip(
  file: string,
  { name, maxSize }: WantedFile,
  limits: ArchiveLimits,
): Promise<Buffer | undefined> {
  return withZip(file, async (zip) => {
    if (zip.entryCount > limits.maxEntries) return undefined;
    for await (const entry of entriesOf(zip, limits.signal)) {
      if (entry.type !== "0" || !isAtTop(toText(entry.name), name) || entry.size > maxSize) continue;
      const chunks: Uint8Array[] = [];
      for await (const chunk of entry.contents()) chunks.push(chunk);
      return Buffer.concat(chunks);
    }
    return undefined;
  });
}

async function withZip<T>(file: string, use: (zip: yauzl.ZipFile) => Promise<T>): Promise<T> {
  const zip = await yauzl.openPromise(file, { autoClose: false });
  try {
    return await use(zip);
  } finally {
    zip.close();
  }
}

async function checkSize(zip: yauzl.ZipFile, { maxBytes, maxEntries }: ArchiveLimits): Promise<void> {
  if (zip.entryCount > maxEntries) throw new LayerError("refused", `more than ${maxEntries} entries`);
  let bytes = 0;
  for await (const { uncompressedSize } of zip.eachEntry()) {
    bytes += uncompressedSize;
    if (bytes > maxBytes) throw new LayerError("refused", `more than ${maxBytes} bytes of files`);
  }
}

async function* entriesOf(zip: yauzl.ZipFile, signal: AbortSignal | undefined): AsyncGenerator<ArchiveEntry> {
  for await (const entry of zip.eachEntry()) {
    signal?.throwIfAborted();
    const fromUnix = entry.versionMadeBy >> 8 === 3;
    const unixMode = fromUnix ? entry.externalFileAttributes >>> 16 : 0;
    const isDirectory = entry.fileName.endsWith("/");
    const type = isDirectory ? "5" : (tarTypes.get(unixMode & 0o170000) ?? "0");
    const name = toBytePath(entry.fileName);
    const linkName = toBytePath(type === "2" ? await readLink(zip, entry) : "");
    const hasContents = type === "0";
    yield {
      name,
      type,
      // an archive without modes may hold programs
      mode: unixMode === 0 ? 0o755 : unixMode & 0o777,
      size: hasContents ? entry.uncompressedSize : 0,
      linkName,
      uid: 0,
      gid: 0,
      deviceMajor: 0,
      deviceMinor: 0,
      mtime: 0,
      xattrs: new Map(),
      contents: () => (hasContents ? contentsOf(zip, entry) : nothing()),
    };
  }
}

async function* contentsOf(zip: yauzl.ZipFile, entry: yauzl.Entry): AsyncGenerator<Uint8Array> {
  for await (const chunk of await zip.openReadStreamPromise(entry)) yield chunk as Buffer;
}

async function* nothing(): AsyncGenerator<Uint8Array> {}

async function readLink(zip: yauzl.ZipFile, entry: yauzl.Entry): Promise<string> {
  if (entry.uncompressedSize > maxLinkLength) throw new LayerError("refused", `${entry.fileName} is too long a link`);
  const chunks: Uint8Array[] = [];
  for await (const chunk of contentsOf(zip, entry)) chunks.push(chunk);
  return Buffer.concat(chunks).toString("utf8");
}
