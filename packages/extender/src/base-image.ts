import { lstatSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { type ImageConfig, isDigest, type Manifest, openLayout } from "@lifecycle/image";
import { inContext } from "@lifecycle/phase";

/** The image that Dockerfiles are applied to, as far as it has to be known: not its layers. */
export interface BaseImage {
  readonly config: ImageConfig;
  /** Images in a daemon have none. */
  readonly manifest: Manifest | undefined;
  /** Names exactly what the image's root holds: its digest, or of an image without one a fingerprint. */
  readonly identity: string;
  /** How logs call it: analyzed.toml's reference. */
  readonly reference: string;
}

/** An image that lies in a layout or registry. */
export interface StoredBaseImage extends BaseImage {
  readonly manifest: Manifest;
}

/**
 * Opens the image that the restorer put into `<kaniko>/cache/base/<digest>`: manifest and config, no layers.
 *
 * @param reference ends in `@<digest>`
 * @throws LifecycleError if the reference has no digest, or the image is not there or is another one
 */
export async function openBase(kanikoDir: string, reference: string): Promise<StoredBaseImage> {
  const digest = reference.slice(reference.lastIndexOf("@") + 1);
  if (!isDigest(digest)) {
    throw inContext(`failed to get digest for reference '${reference}'`, "it does not end in @sha256:<hex>");
  }
  const layout = join(kanikoDir, "cache", "base", digest);
  try {
    requireFiles(layout);
    const image = await openLayout(layout, { digest });
    if (image === undefined) throw new Error(`${layout} does not hold it; the restorer has to run with ${kanikoDir}`);
    const { config, manifest } = image;
    return { config, manifest, identity: digest, reference };
  } catch (error) {
    throw inContext(`getting base image for digest '${digest}'`, error);
  }
}

/** Makes sure that reading a layout waits for nobody, as it would for a named pipe. */
function requireFiles(layout: string): void {
  const blobs = join(layout, "blobs", "sha256");
  const names = readdirIfExists(blobs).map((name) => join(blobs, name));
  for (const path of [join(layout, "index.json"), ...names]) {
    if (lstatSync(path, { throwIfNoEntry: false })?.isFile() === false)
      throw new Error(`${path} is not a regular file`);
  }
}

function readdirIfExists(path: string): string[] {
  return lstatSync(path, { throwIfNoEntry: false })?.isDirectory() === true ? readdirSync(path) : [];
}
