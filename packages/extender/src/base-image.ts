import { join } from "node:path";
import { digestOf, type Image, type ImageConfig, isDigest, type Manifest, openLayout } from "@lifecycle/image";
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

/** An image as what Dockerfiles are applied to. */
export function baseFrom({ config, manifest, identifier }: Image): BaseImage {
  return { config, manifest, reference: identifier, identity: identifier.slice(identifier.lastIndexOf("@") + 1) };
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
    const image = await openLayout(layout, { digest });
    if (image === undefined) {
      const remedy = `give the extender the same ${kanikoDir} as the restorer, which puts it there if it is to be extended`;
      throw new Error(`it is not in ${layout}; ${remedy}`);
    }
    const { config, manifest } = image;
    return { config, manifest, identity: digest, reference };
  } catch (error) {
    throw inContext(`getting base image for digest '${digest}'`, error);
  }
}

/**
 * Names exactly what an image's root holds, by which layers are cached: the same for an image in a registry, a daemon and
 * a layout, and for one that differs only in its config. Of an image that says nothing of its layers, its identity.
 */
export function rootIdentity({ config, identity }: BaseImage): string {
  const { diff_ids: diffIds } = config.rootfs;
  return diffIds.length === 0 ? identity : digestOf(diffIds.join());
}
