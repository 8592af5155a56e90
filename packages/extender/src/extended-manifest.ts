import type { LayerFile } from "@lifecycle/dockerfile";
import {
  digestOf,
  encodeConfig,
  encodeManifest,
  familyOf,
  gzipLayerType,
  type ImageConfig,
  type Manifest,
  mediaTypes,
} from "@lifecycle/image";

/**
 * The manifest of a base image with layers on top.
 *
 * @param config of the image to be
 * @param layers those that were added, lowest first
 */
export function extendedManifest(base: Manifest, config: ImageConfig, layers: readonly LayerFile[]): Manifest {
  const family = familyOf(base);
  const bytes = encodeConfig(config);
  const mediaType = family === "oci" ? mediaTypes.ociConfig : mediaTypes.dockerConfig;
  const added = layers.map(({ digest, size }) => ({ mediaType: gzipLayerType(family), size, digest }));
  return {
    ...base,
    config: { mediaType, size: bytes.length, digest: digestOf(bytes) },
    layers: [...base.layers, ...added],
    // Says what the base image's manifest is about; this is another one.
    subject: undefined,
  };
}

/** The digest of an image; of one that has no manifest, the digest of its config, by which daemons know it. */
export function digestOfImage(manifest: Manifest | undefined, config: ImageConfig): string {
  return digestOf(manifest === undefined ? encodeConfig(config) : encodeManifest(manifest));
}
