import { type Reader, readToml } from "./decode.ts";
import { formatJson } from "./json.ts";
import { record, type Writable } from "./ordered.ts";
import type { TomlTable } from "./toml-value.ts";
import { formatToml } from "./toml-writer.ts";

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

/** Reads project-metadata.toml. @throws FormatError */
export function parseProjectMetadata(text: string, file: string): ProjectMetadata {
  return readProjectMetadata(readToml(text, file));
}

export function readProjectMetadata(reader: Reader): ProjectMetadata {
  const source = reader.optionalTable("source");
  if (source === undefined) {
    return {};
  }
  const type = source.optionalString("type");
  const version = source.freeTable("version");
  const metadata = source.freeTable("metadata");
  return {
    source: {
      ...(type !== undefined && { type }),
      ...(version !== undefined && { version }),
      ...(metadata !== undefined && { metadata }),
    },
  };
}

/** Writes the label `io.buildpacks.project.metadata`. */
export function formatProjectMetadataLabel(metadata: ProjectMetadata): string {
  return formatJson(projectMetadataRecord(metadata));
}

/** Writes project-metadata.toml. */
export function formatProjectMetadata(metadata: ProjectMetadata): string {
  return formatToml(projectMetadataRecord(metadata));
}

function projectMetadataRecord({ source }: ProjectMetadata): ReadonlyMap<string, Writable> {
  return record({
    source:
      source &&
      record({
        type: source.type || undefined,
        version: ifAnyKey(source.version),
        metadata: ifAnyKey(source.metadata),
      }),
  });
}

function ifAnyKey(table: TomlTable | undefined): TomlTable | undefined {
  return Object.keys(table ?? {}).length > 0 ? table : undefined;
}
