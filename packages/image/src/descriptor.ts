import { type Digest, parseDigest } from "./digest.ts";
import type { JsonObject, Shape } from "./go-json.ts";
import { JsonReader } from "./json-border.ts";

/** Refers to a blob or manifest (OCI image spec, descriptor.md). Fields not named here are kept as they came. */
export interface Descriptor {
  readonly mediaType: string;
  /** In bytes. */
  readonly size: number;
  readonly digest: Digest;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly platform?: DescriptorPlatform;
  readonly [unknownField: string]: unknown;
}

/** The platform of an image index's entry, in the spec's own field names. */
export interface DescriptorPlatform {
  readonly architecture: string;
  readonly os: string;
  readonly "os.version"?: string;
  readonly variant?: string;
  readonly [unknownField: string]: unknown;
}

/** The field order of a descriptor, for `goJson`. */
export const descriptorShape: Shape = [
  { name: "mediaType" },
  { name: "size" },
  { name: "digest" },
  { name: "data", omitEmpty: true },
  { name: "urls", omitEmpty: true },
  { name: "annotations", omitEmpty: true },
  {
    name: "platform",
    omitEmpty: true,
    shape: [
      { name: "architecture" },
      { name: "os" },
      { name: "os.version", omitEmpty: true },
      { name: "os.features", omitEmpty: true },
      { name: "variant", omitEmpty: true },
      { name: "features", omitEmpty: true },
    ],
  },
  { name: "artifactType", omitEmpty: true },
];

/**
 * Checks the known fields of a descriptor.
 * @param where what it is part of, for messages
 * @throws ImageError `invalid`
 */
export function parseDescriptor(object: JsonObject, where: string): Descriptor {
  const reader = new JsonReader(object, where);
  const platform = reader.object("platform");
  return {
    ...object,
    mediaType: reader.text("mediaType") ?? "",
    size: reader.required("size", (fields, name) => fields.size(name)),
    digest: parseDigest(reader.text("digest"), where),
    annotations: reader.textMap("annotations"),
    platform: platform === undefined ? undefined : parsePlatform(platform, where),
  };
}

function parsePlatform(object: JsonObject, where: string): DescriptorPlatform {
  const reader = new JsonReader(object, `${where}: platform`);
  return {
    ...object,
    architecture: reader.text("architecture") ?? "",
    os: reader.text("os") ?? "",
    "os.version": reader.text("os.version"),
    variant: reader.text("variant"),
  };
}
