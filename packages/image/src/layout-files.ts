import { createHash, randomUUID } from "node:crypto";
import { createReadStream } from "node:fs";
import { type FileHandle, mkdir, open, readdir, rename, rm, rmdir, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Descriptor } from "./descriptor.ts";
import { type Digest, digestHex, digestOf } from "./digest.ts";
import { ImageError } from "./errors.ts";
import { fileError } from "./file-error.ts";
import { type ImageIndex, isIndex, maxManifestSize, parseManifestOrIndex } from "./manifest.ts";
import { mediaTypes } from "./media-types.ts";
import { observed, type TransferObserver } from "./transfer.ts";
import { untilIntact, verified } from "./verified.ts";

/** Where a layout keeps a blob. */
export function blobPath(layout: string, digest: Digest): string {
  return join(layout, "blobs/sha256", digestHex(digest));
}

/**
 * Reads a blob, verified.
 * @throws ImageError `not-found`, `unauthorized`, `corrupt`
 */
export async function* readBlob(layout: string, { digest, size }: Descriptor): AsyncGenerator<Uint8Array> {
  const path = blobPath(layout, digest);
  yield* verified(readFileBytes(path), digest, size, path);
}

/** Reads a manifest or config into memory; see `readBlob`. */
export async function readSmallBlob(layout: string, descriptor: Descriptor): Promise<Uint8Array> {
  if (descriptor.size > maxManifestSize) {
    const path = blobPath(layout, descriptor.digest);
    throw new ImageError("invalid", `${path}: ${descriptor.size} bytes, more than ${maxManifestSize}`);
  }
  const chunks: Uint8Array[] = [];
  for await (const chunk of readBlob(layout, descriptor)) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/**
 * Reads a layout's index.
 * @returns undefined if there is no layout
 * @throws ImageError
 */
export async function readIndex(layout: string): Promise<ImageIndex | undefined> {
  const path = join(layout, "index.json");
  const chunks: Uint8Array[] = [];
  let length = 0;
  try {
    for await (const chunk of readFileBytes(path)) {
      chunks.push(chunk);
      length += chunk.length;
      if (length > maxManifestSize) throw new ImageError("invalid", `${path}: more than ${maxManifestSize} bytes`);
    }
  } catch (error) {
    if (error instanceof ImageError && error.code === "not-found") return undefined;
    throw error;
  }
  const index = parseManifestOrIndex(Buffer.concat(chunks), mediaTypes.ociIndex, path);
  if (!isIndex(index)) throw new ImageError("invalid", `${path}: not an image index`);
  return index;
}

async function* readFileBytes(path: string): AsyncGenerator<Uint8Array> {
  // A named pipe, say, would be waited for in vain.
  const stats = await stat(path).catch((error) => Promise.reject(fileError(error, path)));
  if (!stats.isFile()) throw new ImageError("invalid", `${path}: not a regular file`);
  const stream = createReadStream(path, { highWaterMark: 256 * 1024 });
  try {
    for await (const chunk of stream) yield chunk as Buffer;
  } catch (error) {
    throw fileError(error, path);
  } finally {
    stream.destroy();
  }
}

const temporaryName = /^\.[0-9a-f-]{36}\.tmp$/;
const blobName = /^[0-9a-f]{64}$/;

/** Whom a `LayoutWriter` tells what it does. */
export interface LayoutListener {
  readonly observer: TransferObserver;
  /** Told what went wrong before another attempt. */
  readonly warn: (message: string) => void;
}

/**
 * Writes one image into a layout. Every file appears under its name when it is complete, the index last; `abandon`
 * takes away what was written. Errors are ImageErrors, except those of the streams that are written.
 */
export class LayoutWriter {
  readonly #layout: string;
  readonly #listener: LayoutListener;
  readonly #started = Date.now();
  readonly #blobs = new Set<Digest>();
  readonly #temporary = new Set<string>();
  readonly #written: string[] = [];
  /** When the layout was last whole, in milliseconds of the epoch: when its index was written. */
  #wholeSince = -Infinity;
  #firstDirectory: string | undefined;

  /** @param layout the layout's directory; made if it does not exist */
  constructor(layout: string, listener: LayoutListener) {
    this.#layout = layout;
    this.#listener = listener;
  }

  /** Makes the layout's directories. */
  async begin(): Promise<void> {
    const blobs = join(this.#layout, "blobs/sha256");
    try {
      this.#firstDirectory = await mkdir(blobs, { recursive: true });
    } catch (error) {
      throw fileError(error, blobs);
    }
    const index = await stat(join(this.#layout, "index.json")).catch(() => undefined);
    this.#wholeSince = index?.ctimeMs ?? -Infinity;
  }

  /**
   * Writes a blob unless the layout has it.
   * @param descriptor undefined if digest and size will be known when the stream has ended
   * @param name what observers know the blob by: its digest, or its diff ID as long as it has none
   * @param atMost what they may take for its size as long as it is not known
   * @param start starts the blob's stream
   * @param signal ends the writing with its reason
   */
  async writeBlob(
    descriptor: Descriptor | undefined,
    { name, atMost }: { readonly name: Digest; readonly atMost?: number | undefined },
    start: () => AsyncIterable<Uint8Array>,
    signal: AbortSignal,
  ): Promise<{ digest: Digest; size: number }> {
    if (descriptor !== undefined && (await this.#has(descriptor))) {
      this.#blobs.add(descriptor.digest);
      return descriptor;
    }
    const size = descriptor?.size;
    const transfer = { direction: "upload", place: this.#layout, blob: name, size, atMost } as const;
    const write = () => this.#writeStream(observed(start(), transfer, this.#listener.observer), descriptor, signal);
    const { temporary, blob } = await untilIntact(write, this.#listener.warn);
    await this.#publish(temporary, blobPath(this.#layout, blob.digest));
    this.#blobs.add(blob.digest);
    return blob;
  }

  /** Writes a manifest or config unless the layout has it. */
  async writeBytes(bytes: Uint8Array): Promise<{ digest: Digest; size: number }> {
    const blob = { digest: digestOf(bytes), size: bytes.length };
    if (!(await this.#has(blob))) await this.#writeFile(blobPath(this.#layout, blob.digest), bytes);
    this.#blobs.add(blob.digest);
    return blob;
  }

  /**
   * Makes the layout stand for the image: writes its index, then removes the blobs that no image of the layout has any
   * more, and what a save that was killed left behind.
   */
  async finish(index: Uint8Array): Promise<void> {
    for (const digest of this.#blobs) {
      const path = blobPath(this.#layout, digest);
      await stat(path).catch((error) => Promise.reject(fileError(error, path)));
    }
    await this.#writeFile(join(this.#layout, "oci-layout"), Buffer.from('{"imageLayoutVersion":"1.0.0"}'));
    await this.#writeFile(join(this.#layout, "index.json"), index);
    await this.#removeOld(this.#layout, (name) => temporaryName.test(name));
    await this.#removeOld(
      join(this.#layout, "blobs/sha256"),
      (name) => blobName.test(name) && !this.#blobs.has(`sha256:${name}`),
    );
  }

  /** Takes away what was written, and directories that were made and are empty again. */
  async abandon(): Promise<void> {
    for (const path of [...this.#temporary, ...this.#written]) await rm(path, { force: true });
    if (this.#firstDirectory === undefined) return;
    let directory = join(this.#layout, "blobs/sha256");
    while (directory.length >= this.#firstDirectory.length) {
      await rmdir(directory).catch(() => {});
      directory = dirname(directory);
    }
  }

  /**
   * Whether the layout has a blob. Blobs are written before the index that stands for them, so one that has not changed
   * since then is taken as it is; others are read. What large layers cost does not grow while nobody touches them.
   */
  async #has({ digest, size }: { digest: Digest; size: number }): Promise<boolean> {
    const path = blobPath(this.#layout, digest);
    const stats = await stat(path).catch(() => undefined);
    if (stats?.size !== size) return false;
    if (stats.ctimeMs <= this.#wholeSince) return true;
    try {
      for await (const _ of verified(readFileBytes(path), digest, size, path));
      return true;
    } catch (error) {
      if (!(error instanceof ImageError) || error.code !== "corrupt") throw error;
      return false;
    }
  }

  /** Files that have changed since this save began may be those of another one. Nothing depends on any of them. */
  async #removeOld(directory: string, isLeftover: (name: string) => boolean): Promise<void> {
    for (const name of await readdir(directory).catch(() => [])) {
      const path = join(directory, name);
      if (!isLeftover(name) || this.#temporary.has(path)) continue;
      const modified = await stat(path).then(
        ({ mtimeMs }) => mtimeMs,
        () => Infinity,
      );
      if (modified < this.#started) await rm(path, { force: true }).catch(() => {});
    }
  }

  async #writeStream(
    source: AsyncIterable<Uint8Array>,
    descriptor: Descriptor | undefined,
    signal: AbortSignal,
  ): Promise<{ temporary: string; blob: { digest: Digest; size: number } }> {
    const hash = createHash("sha256");
    let size = 0;
    const temporary = await this.#writeTemporary(async (file) => {
      for await (const chunk of source) {
        signal.throwIfAborted();
        hash.update(chunk);
        size += chunk.length;
        await file.appendFile(chunk).catch((error) => Promise.reject(fileError(error, this.#layout)));
      }
      const digest = hash.copy().digest("hex");
      if (descriptor !== undefined && descriptor.digest !== `sha256:${digest}`) {
        throw new ImageError("corrupt", `expected a blob with digest ${descriptor.digest}, found sha256:${digest}`);
      }
    });
    return { temporary, blob: { digest: `sha256:${hash.digest("hex")}`, size } };
  }

  async #writeFile(path: string, bytes: Uint8Array): Promise<void> {
    const temporary = await this.#writeTemporary((file) =>
      file.writeFile(bytes).catch((error) => Promise.reject(fileError(error, path))),
    );
    await this.#publish(temporary, path);
  }

  async #writeTemporary(write: (file: FileHandle) => Promise<void>): Promise<string> {
    const path = join(this.#layout, `.${randomUUID()}.tmp`);
    this.#temporary.add(path);
    const file = await open(path, "wx", 0o644).catch((error) => Promise.reject(fileError(error, this.#layout)));
    try {
      await write(file);
    } catch (error) {
      await rm(path, { force: true });
      this.#temporary.delete(path);
      throw error;
    } finally {
      await file.close();
    }
    return path;
  }

  async #publish(temporary: string, path: string): Promise<void> {
    const replaces = await stat(path).then(
      () => true,
      () => false,
    );
    await rename(temporary, path).catch((error) => Promise.reject(fileError(error, path)));
    this.#temporary.delete(temporary);
    if (!replaces) this.#written.push(path);
  }
}
