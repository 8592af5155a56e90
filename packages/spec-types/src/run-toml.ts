/** A run image and where else it is found. */
export interface RunImageForExport {
  readonly image?: string;
  readonly mirrors?: readonly string[];
}

/** run.toml: the run images of a builder (platform.md, "run.toml", Platform API 0.12). */
export interface Run {
  readonly images: readonly RunImageForExport[];
}
