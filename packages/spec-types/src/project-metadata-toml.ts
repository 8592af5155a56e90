import type { TomlTable } from "./toml-value.ts";

/** Where the application's source came from. */
export interface ProjectSource {
  readonly type?: string;
  readonly version?: TomlTable;
  readonly metadata?: TomlTable;
}

/** project-metadata.toml and the label `io.buildpacks.project.metadata` (platform.md, "project-metadata.toml"). */
export interface ProjectMetadata {
  readonly source?: ProjectSource;
}
