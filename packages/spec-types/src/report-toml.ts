import { type BomEntry, bomEntryRecord, readBomEntry } from "./build-toml.ts";
import { readToml } from "./decode.ts";
import { ifAny, record } from "./ordered.ts";
import { formatToml } from "./toml-writer.ts";

/** The image as it was exported or rebased. */
export interface ImageReport {
  readonly tags: readonly string[];
  /** In a daemon. */
  readonly imageId?: string;
  /** In a registry or OCI layout: `sha256:<hex>`. */
  readonly digest?: string;
  /** Bytes. */
  readonly manifestSize?: number;
}

/** report.toml (platform.md, "report.toml"). */
export interface Report {
  readonly build?: { readonly bom: readonly BomEntry[] };
  readonly image: ImageReport;
}

/** Reads report.toml. @throws FormatError */
export function parseReport(text: string, file: string): Report {
  const reader = readToml(text, file);
  const bom = ifAny(reader.table("build").tables("bom", readBomEntry));
  const image = reader.table("image");
  const imageId = image.optionalString("image-id");
  const digest = image.optionalString("digest");
  const manifestSize = image.optionalInteger("manifest-size");
  return {
    ...(bom !== undefined && { build: { bom } }),
    image: {
      tags: image.strings("tags"),
      ...(imageId !== undefined && { imageId }),
      ...(digest !== undefined && { digest }),
      ...(manifestSize !== undefined && { manifestSize }),
    },
  };
}

export function formatReport({ build, image }: Report): string {
  const bom = ifAny(build?.bom.map(bomEntryRecord));
  return formatToml(
    record({
      build: bom && record({ bom }),
      image: record({
        tags: image.tags,
        "image-id": image.imageId || undefined,
        digest: image.digest || undefined,
        "manifest-size": image.manifestSize ? BigInt(image.manifestSize) : undefined,
      }),
    }),
  );
}
