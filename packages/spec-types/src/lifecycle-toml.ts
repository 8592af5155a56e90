/** Versions of one API. */
export interface ApiSet {
  readonly deprecated: readonly string[];
  readonly supported: readonly string[];
}

/** lifecycle.toml, the descriptor at the top of a lifecycle archive (distribution.md; RFC 11). */
export interface LifecycleDescriptor {
  readonly apis: { readonly buildpack: ApiSet; readonly platform: ApiSet };
  /** The oldest version of each, for platforms that know no better. */
  readonly api?: { readonly platform: string; readonly buildpack: string };
  readonly lifecycle: { readonly version: string; readonly sbomFormats?: readonly string[] };
}
