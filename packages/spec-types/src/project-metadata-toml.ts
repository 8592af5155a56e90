import { type Reader, readToml } from "./decode.ts";
import { formatJson } from "./json.ts";
import { record } from "./ordered.ts";
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
export function formatProjectMetadataLabel({ source }: ProjectMetadata): string {
  return formatJson(
    record({
      source:
        source &&
        record({
          type: source.type || undefined,
          version: ifAnyKey(source.version),
          metadata: ifAnyKey(source.metadata),
        }),
    }),
  );
}

function ifAnyKey(table: TomlTable | undefined): TomlTable | undefined {
  return Object.keys(table ?? {}).length > 0 ? table : undefined;
}
