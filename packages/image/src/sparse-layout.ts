import { randomUUID } from "node:crypto";
import { chmod, lstat, mkdir, readdir, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { type Digest, digestOf } from "./digest.ts";
import { ImageError } from "./errors.ts";
import { fileError } from "./file-error.ts";
import type { ImageBytes } from "./image.ts";
import { LayoutWriter } from "./layout-files.ts";
import { encodeIndex, isIndex, parseManifestOrIndex } from "./manifest.ts";
import { mediaTypes } from "./media-types.ts";
import { noObserver } from "./transfer.ts";

/** A layer that a sparse layout holds. */
export interface SparseLayer {
  /** Of the blob, as the manifest has it. */
  readonly digest: Digest;
  /** Of the blob, in bytes. */
  readonly size: number;
  /** Starts the blob's stream anew. */
  source(): AsyncIterable<Uint8Array>;
}

/** What a sparse layout is made of. */
export interface SparseLayout extends ImageBytes {
  /** Those of the manifest's layers that the layout is to hold; by default none. */
  readonly layers?: readonly SparseLayer[];
}

/**
 * Writes one image as an OCI layout that holds only some of its layers, or none. Manifest and config stay byte for byte
 * what they are, and so does the digest. The layout is written beside its place and then moved there, where it replaces
 * what there was; everybody may read it. A failure leaves nothing behind and what there was in place.
 * @param directory the layout's directory; those above it are made if they do not exist
 * @param signal ends the writing with its reason
 * @returns the manifest's digest
 * @throws ImageError `invalid` if the manifest is none, or names another config or none of such a layer; `corrupt` if a
 *   layer's bytes have another digest; or what went wrong with a file; whatever the layers' streams throw
 */
export async function writeSparseLayout(
  directory: string,
  { manifest: bytes, config, layers = [] }: SparseLayout,
  signal: AbortSignal = new AbortController().signal,
): Promise<Digest> {
  const manifest = parseManifestOrIndex(bytes, "", directory);
  const digest = digestOf(bytes);
  if (isIndex(manifest) || manifest.config.digest !== digestOf(config)) {
    throw new ImageError("invalid", `${directory}: manifest ${digest} does not name the config ${digestOf(config)}`);
  }
  const stranger = layers.find((layer) => manifest.layers.every((known) => known.digest !== layer.digest));
  if (stranger !== undefined) {
    throw new ImageError("invalid", `${directory}: manifest ${digest} does not name the layer ${stranger.digest}`);
  }
  const parent = dirname(directory);
  const temporary = join(parent, `.${randomUUID()}.tmp`);
  await whilst(parent, () => mkdir(parent, { recursive: true }));
  try {
    const writer = new LayoutWriter(temporary, { observer: noObserver, warn: () => {} });
    await writer.begin();
    for (const layer of layers) {
      const descriptor = { mediaType: "", digest: layer.digest, size: layer.size };
      await writer.writeBlob(descriptor, { name: layer.digest }, () => layer.source(), signal);
    }
    await writer.writeBytes(config);
    await writer.writeBytes(bytes);
    const entry = { mediaType: manifest.mediaType, size: bytes.length, digest };
    await writer.finish(encodeIndex({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [entry] }));
    await openToAll(temporary);
    signal.throwIfAborted();
    await replace(directory, temporary);
  } catch (error) {
    await rm(temporary, { recursive: true, force: true });
    throw error;
  }
  return digest;
}

/** Whatever this process' umask is: other users run other phases. */
async function openToAll(directory: string): Promise<void> {
  await whilst(directory, () => chmod(directory, 0o755));
  for (const entry of await whilst(directory, () => readdir(directory, { withFileTypes: true }))) {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) await openToAll(path);
    else await whilst(path, () => chmod(path, 0o644));
  }
}

/** A directory that is not empty cannot be renamed over, so what is there moves out of the way first. */
async function replace(directory: string, by: string): Promise<void> {
  const old = `${by}.old`;
  const isThere = await lstat(directory).then(
    () => true,
    () => false,
  );
  if (isThere) await whilst(directory, () => rename(directory, old));
  try {
    await whilst(directory, () => rename(by, directory));
  } catch (error) {
    if (isThere) await rename(old, directory);
    throw error;
  }
  await whilst(old, () => rm(old, { recursive: true, force: true }));
}

async function whilst<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw fileError(error, path);
  }
}
