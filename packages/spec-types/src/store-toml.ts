import type { TomlTable } from "./toml-value.ts";

/** store.toml: what a buildpack keeps from one build to the next (buildpack.md, "store.toml"). */
export interface StoreToml {
  readonly metadata?: TomlTable;
}
