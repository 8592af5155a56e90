import type { BomEntry } from "./build-toml.ts";

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
