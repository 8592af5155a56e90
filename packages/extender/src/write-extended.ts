import { createWriteStream } from "node:fs";
import { chmod, mkdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import {
  digestHex,
  digestOf,
  encodeConfig,
  encodeIndex,
  encodeManifest,
  type Manifest,
  mediaTypes,
} from "@lifecycle/image";
import type { Logger } from "@lifecycle/phase";
import type { ExtendedImage } from "./extend.ts";
import { extendedManifest } from "./extended-manifest.ts";

/**
 * Writes an extended run image to `<extended>/run/<digest of its manifest>`: a layout with manifest, config and, of the
 * layers, the new ones. Whatever was in `<extended>/run` gives way to it once it is complete.
 *
 * @param base the manifest of the image that was extended
 * @returns the layout's directory
 */
export async function writeExtended(
  base: Manifest,
  { config, layers }: ExtendedImage,
  extendedDir: string,
  logger: Pick<Logger, "debug">,
  signal: AbortSignal,
): Promise<string> {
  const manifest = extendedManifest(base, config, layers);
  const manifestBytes = encodeManifest(manifest);
  const digest = digestOf(manifestBytes);
  logger.debug(`Found ${manifest.layers.length} layers in extended image with digest: ${digest}`);
  const run = join(extendedDir, "run");
  const unfinished = join(extendedDir, ".run-unfinished");
  const layout = join(unfinished, digest);
  const blobs = join(layout, "blobs", "sha256");
  try {
    await rm(unfinished, { recursive: true, force: true });
    await makeReadable(extendedDir, unfinished, layout, join(layout, "blobs"), blobs);
    for (const layer of layers) {
      logger.debug(`Copying layer with digest: ${layer.digest}`);
      const path = join(blobs, digestHex(layer.digest));
      await pipeline(layer.compressed(), createWriteStream(path), { signal });
      await chmod(path, 0o644);
    }
    await writeReadable(join(blobs, digestHex(manifest.config.digest)), encodeConfig(config));
    await writeReadable(join(blobs, digestHex(digest)), manifestBytes);
    await writeReadable(join(layout, "oci-layout"), Buffer.from('{"imageLayoutVersion":"1.0.0"}'));
    const entry = { mediaType: manifest.mediaType, size: manifestBytes.length, digest };
    const index = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [entry] } as const;
    await writeReadable(join(layout, "index.json"), encodeIndex(index));
    await rm(run, { recursive: true, force: true });
    await rename(unfinished, run);
  } finally {
    await rm(unfinished, { recursive: true, force: true });
  }
  return join(run, digest);
}

/** Directories that the exporter's user can read, whatever the umask; those that are there already stay as they are. */
async function makeReadable(...paths: readonly string[]): Promise<void> {
  for (const path of paths) {
    if ((await mkdir(path, { recursive: true })) !== undefined) await chmod(path, 0o755);
  }
}

async function writeReadable(path: string, bytes: Uint8Array): Promise<void> {
  await writeFile(path, bytes);
  await chmod(path, 0o644);
}
