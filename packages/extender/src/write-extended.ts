import { lstatSync } from "node:fs";
import { rename } from "node:fs/promises";
import { join } from "node:path";
import { digestOf, encodeConfig, encodeManifest, type Manifest, writeSparseLayout } from "@lifecycle/image";
import type { Logger } from "@lifecycle/phase";
import { messageOf } from "@lifecycle/syscall";
import type { ExtendedImage } from "./extend.ts";
import { extendedManifest } from "./extended-manifest.ts";
import { HeldDirectory, withRealPaths } from "./held-directory.ts";

/** Removes the run image that an earlier build left in `<extended>`. @throws Error if that is no directory */
export function removeExtended(extendedDir: string): void {
  if (lstatSync(extendedDir, { throwIfNoEntry: false }) === undefined) return;
  const extended = openExtended(extendedDir);
  try {
    extended.remove("run");
  } finally {
    extended.close();
  }
}

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
  logger: Pick<Logger, "debug" | "warn">,
  signal: AbortSignal,
): Promise<string> {
  const manifest = extendedManifest(base, config, layers);
  const bytes = encodeManifest(manifest);
  const digest = digestOf(bytes);
  logger.debug(`Found ${manifest.layers.length} layers in extended image with digest: ${digest}`);
  const top = base.layers.at(-1)?.digest;
  for (const [index, { digest: own }] of base.layers.entries()) {
    if (index === base.layers.length - 1) logger.debug(`Found original top layer with digest: ${own}`);
    else if (own === top) logger.warn(`Original run image has duplicated top layer with digest: ${own}`);
    else logger.debug(`Skipping base layer with digest: ${own}`);
  }
  const copies = layers.map((layer) => {
    logger.debug(`Copying layer with digest: ${layer.digest}`);
    // As it lies there: what is written is verified.
    return { digest: layer.digest, size: layer.size, source: () => layer.stored() };
  });
  const image = { manifest: bytes, config: encodeConfig(config), layers: copies };
  const extended = openExtended(extendedDir);
  const unfinished = ".run-unfinished";
  try {
    extended.remove(unfinished);
    const directory = HeldDirectory.make(join(extended.path, unfinished), 0o755);
    try {
      await writeSparseLayout(join(directory.path, digest), image, signal);
    } catch (error) {
      // As long as it is open, its name can be found.
      throw new Error(withRealPaths(messageOf(error)), { cause: error });
    } finally {
      directory.close();
    }
    extended.remove("run");
    await rename(join(extended.path, unfinished), join(extended.path, "run"));
  } catch (error) {
    throw new Error(withRealPaths(messageOf(error)), { cause: error });
  } finally {
    extended.remove(unfinished);
    extended.close();
  }
  return join(extendedDir, "run", digest);
}

/** The build user can write to what is above it, and put a symlink there that leads root elsewhere. */
function openExtended(extendedDir: string): HeldDirectory {
  try {
    return HeldDirectory.openOrMake(extendedDir, 0o755);
  } catch (error) {
    throw new Error(`cannot write to ${extendedDir}, which must be a directory and no symlink: ${messageOf(error)}`);
  }
}
