/** The media types of manifests, configs and layers (OCI image spec, media-types.md; Docker image manifest v2). */
export const mediaTypes = {
  ociIndex: "application/vnd.oci.image.index.v1+json",
  ociManifest: "application/vnd.oci.image.manifest.v1+json",
  ociConfig: "application/vnd.oci.image.config.v1+json",
  ociLayer: "application/vnd.oci.image.layer.v1.tar",
  ociLayerGzip: "application/vnd.oci.image.layer.v1.tar+gzip",
  ociLayerZstd: "application/vnd.oci.image.layer.v1.tar+zstd",
  dockerManifestList: "application/vnd.docker.distribution.manifest.list.v2+json",
  dockerManifest: "application/vnd.docker.distribution.manifest.v2+json",
  dockerConfig: "application/vnd.docker.container.image.v1+json",
  dockerLayer: "application/vnd.docker.image.rootfs.diff.tar",
  dockerLayerGzip: "application/vnd.docker.image.rootfs.diff.tar.gzip",
  dockerLayerZstd: "application/vnd.docker.image.rootfs.diff.tar.zstd",
} as const;

/** The two families of manifests: their members agree on the media types of config and layers. */
export type ManifestFamily = "oci" | "docker";

/** Whether a media type is that of an image manifest. */
export function isManifestType(mediaType: string): boolean {
  return mediaType === mediaTypes.ociManifest || mediaType === mediaTypes.dockerManifest;
}

/** Whether a media type is that of an image index, which refers to manifests by platform. */
export function isIndexType(mediaType: string): boolean {
  return mediaType === mediaTypes.ociIndex || mediaType === mediaTypes.dockerManifestList;
}

/** The media type of a gzip layer in a manifest of `family`. */
export function gzipLayerType(family: ManifestFamily): string {
  return family === "oci" ? mediaTypes.ociLayerGzip : mediaTypes.dockerLayerGzip;
}

const layerTypePairs: readonly (readonly [oci: string, docker: string])[] = [
  [mediaTypes.ociLayer, mediaTypes.dockerLayer],
  [mediaTypes.ociLayerGzip, mediaTypes.dockerLayerGzip],
  [mediaTypes.ociLayerZstd, mediaTypes.dockerLayerZstd],
];

/**
 * The media type for a layer that moves into a manifest of `family`. Both families name the same bytes differently,
 * and readers such as umoci refuse a manifest that mixes them. Types without a counterpart stay as they are.
 */
export function layerTypeIn(family: ManifestFamily, mediaType: string): string {
  const pair = layerTypePairs.find((types) => types.includes(mediaType));
  if (pair === undefined) return mediaType;
  return family === "oci" ? pair[0] : pair[1];
}

/** Layers that their licence forbids to push: the manifest names them, nobody uploads them. */
export function isDistributable(mediaType: string): boolean {
  return !mediaType.includes(".nondistributable.") && !mediaType.includes(".foreign.");
}
