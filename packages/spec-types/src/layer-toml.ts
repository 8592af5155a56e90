import type { TomlValue } from "./toml-value.ts";

/** `<layers>/<layer>.toml` (buildpack.md, "Layer Content Metadata"). */
export interface LayerToml {
  /** What the buildpack recorded about the layer; `undefined` if nothing. Other implementations allow more than tables. */
  readonly metadata?: TomlValue;
  readonly build: boolean;
  readonly launch: boolean;
  readonly cache: boolean;
}
