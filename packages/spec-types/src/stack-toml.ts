import type { RunImageForExport } from "./run-toml.ts";

/** stack.toml: the run image of a builder (platform.md, "stack.toml", before Platform API 0.12). */
export interface Stack {
  readonly runImage: RunImageForExport;
}
