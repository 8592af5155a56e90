import { type Descriptor, descriptorShape, parseDescriptor } from "./descriptor.ts";
import { ImageError } from "./errors.ts";
import { goJson, type Shape } from "./go-json.ts";
import { JsonReader, parseJsonObject } from "./json-border.ts";
import { isIndexType, isManifestType, type ManifestFamily, mediaTypes } from "./media-types.ts";

/** Manifests and configs may have this many bytes; more is an attack or a mistake. Registries agree on 4 MiB. */
export const maxManifestSize = 4 * 1024 * 1024;

/** An image manifest, OCI or Docker schema 2 (OCI image spec, manifest.md). Unknown fields are kept. */
export interface Manifest {
  readonly schemaVersion: 2;
  readonly mediaType: string;
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
  readonly annotations?: Readonly<Record<string, string>>;
  readonly [unknownField: string]: unknown;
}

/** An image index or Docker manifest list (OCI image spec, image-index.md). Unknown fields are kept. */
export interface ImageIndex {
  readonly schemaVersion: 2;
  readonly mediaType: string;
  readonly manifests: readonly Descriptor[];
  readonly annotations?: Readonly<Record<string, string>>;
  readonly [unknownField: string]: unknown;
}

const manifestShape: Shape = [
  { name: "schemaVersion" },
  { name: "mediaType", omitEmpty: true },
  { name: "config", shape: descriptorShape },
  { name: "layers", shape: descriptorShape },
  { name: "annotations", omitEmpty: true },
  { name: "subject", omitEmpty: true, shape: descriptorShape },
  { name: "artifactType", omitEmpty: true },
];

const indexShape: Shape = [
  { name: "schemaVersion" },
  { name: "mediaType", omitEmpty: true },
  { name: "manifests", shape: descriptorShape },
  { name: "annotations", omitEmpty: true },
  { name: "subject", omitEmpty: true, shape: descriptorShape },
  { name: "artifactType", omitEmpty: true },
];

/** The bytes of a manifest, as Go tools write them. */
export function encodeManifest(manifest: Manifest): Uint8Array {
  return Buffer.from(goJson(manifest, manifestShape));
}

/** The bytes of an index, as Go tools write them. */
export function encodeIndex(index: ImageIndex): Uint8Array {
  return Buffer.from(goJson(index, indexShape));
}

/**
 * Parses a manifest or an index; `isIndex` tells which.
 * @param mediaType what the bytes were announced as; the content decides if it says nothing useful, as static
 *   registries serve any type
 * @param where the image's name, for messages
 * @throws ImageError `invalid`, also for Docker schema 1
 */
export function parseManifestOrIndex(bytes: Uint8Array, mediaType: string, where: string): Manifest | ImageIndex {
  const object = parseJsonObject(bytes, `manifest of ${where}`);
  const reader = new JsonReader(object, `manifest of ${where}`);
  if (object.schemaVersion !== 2) {
    throw new ImageError("invalid", `manifest of ${where}: schema version 2 expected, found ${object.schemaVersion}`);
  }
  const annotations = reader.textMap("annotations");
  const ownType = reader.text("mediaType") ?? "";
  const type = [ownType, mediaType].find((candidate) => isManifestType(candidate) || isIndexType(candidate));
  // Who reads one as an index and who reads it as a manifest would see different images (OCI image spec, manifest.md).
  if (object.manifests !== undefined && (object.layers !== undefined || object.config !== undefined)) {
    throw new ImageError("invalid", `manifest of ${where}: both an image and an index`);
  }
  const isIndex = type === undefined ? Array.isArray(object.manifests) : isIndexType(type);
  if (isIndex) {
    const manifests = reader.objects("manifests") ?? [];
    return {
      ...object,
      schemaVersion: 2,
      mediaType: type ?? mediaTypes.ociIndex,
      manifests: manifests.map((entry, i) => parseDescriptor(entry, `manifest of ${where}: manifests[${i}]`)),
      annotations,
    };
  }
  const layers = reader.objects("layers") ?? [];
  return {
    ...object,
    schemaVersion: 2,
    mediaType: type ?? mediaTypes.ociManifest,
    config: parseDescriptor(
      reader.required("config", (fields, name) => fields.object(name)),
      `manifest of ${where}: config`,
    ),
    layers: layers.map((entry, i) => parseDescriptor(entry, `manifest of ${where}: layers[${i}]`)),
    annotations,
  };
}

/** Tells an index from a manifest. */
export function isIndex(found: Manifest | ImageIndex): found is ImageIndex {
  return isIndexType(found.mediaType);
}

/** The family whose media types a manifest's config and layers have. */
export function familyOf(manifest: Manifest): ManifestFamily {
  return manifest.mediaType === mediaTypes.dockerManifest ? "docker" : "oci";
}
