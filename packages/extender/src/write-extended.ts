import { chmod, mkdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { digestOf, encodeConfig, encodeManifest, type Manifest, writeSparseLayout } from "@lifecycle/image";
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
  const bytes = encodeManifest(manifest);
  const digest = digestOf(bytes);
  logger.debug(`Found ${manifest.layers.length} layers in extended image with digest: ${digest}`);
  if ((await mkdir(extendedDir, { recursive: true })) !== undefined) await chmod(extendedDir, 0o755);
  const run = join(extendedDir, "run");
  const unfinished = join(extendedDir, ".run-unfinished");
  try {
    await rm(unfinished, { recursive: true, force: true });
    await mkdir(unfinished);
    await chmod(unfinished, 0o755);
    const copies = layers.map((layer) => {
      logger.debug(`Copying layer with digest: ${layer.digest}`);
      return { digest: layer.digest, size: layer.size, source: () => layer.compressed() };
    });
    const image = { manifest: bytes, config: encodeConfig(config), layers: copies };
    await writeSparseLayout(join(unfinished, digest), image, signal);
    await rm(run, { recursive: true, force: true });
    await rename(unfinished, run);
  } finally {
    await rm(unfinished, { recursive: true, force: true });
  }
  return join(run, digest);
}
