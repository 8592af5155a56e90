import { readToml } from "./decode.ts";
import { record } from "./ordered.ts";
import type { TomlValue } from "./toml-value.ts";
import { formatToml } from "./toml-writer.ts";

/** `<layers>/<layer>.toml` (buildpack.md, "Layer Content Metadata"). */
export interface LayerToml {
  /** What the buildpack recorded about the layer; `undefined` if nothing. Other implementations allow more than tables. */
  readonly metadata?: TomlValue;
  readonly build: boolean;
  readonly launch: boolean;
  readonly cache: boolean;
}

/**
 * Reads `<layer>.toml`.
 *
 * @throws FormatError also when the flags are outside of `[types]`, where they were before Buildpack API 0.6
 */
export function parseLayerToml(text: string, file: string): LayerToml {
  const reader = readToml(text, file);
  for (const flag of ["launch", "cache", "build"]) {
    if (reader.has(flag)) {
      throw reader.error(`the launch, cache and build flags should be in the types table of ${file}`, [flag]);
    }
  }
  const types = reader.table("types");
  const metadata = reader.value("metadata");
  return {
    ...(metadata !== undefined && { metadata }),
    build: types.boolean("build"),
    launch: types.boolean("launch"),
    cache: types.boolean("cache"),
  };
}

/** Writes `<layer>.toml` for a restored layer: without the flags, so that the buildpack has to claim the layer anew. */
export function formatRestoredLayerToml(layer: Pick<LayerToml, "metadata">): string {
  return formatToml(record({ metadata: layer.metadata }));
}
