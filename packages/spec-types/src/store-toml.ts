import { type Reader, readToml } from "./decode.ts";
import { record } from "./ordered.ts";
import type { TomlTable } from "./toml-value.ts";
import { formatToml } from "./toml-writer.ts";

/** store.toml: what a buildpack keeps from one build to the next (buildpack.md, "store.toml"). */
export interface StoreToml {
  readonly metadata?: TomlTable;
}

/** Reads store.toml. @throws FormatError */
export function parseStoreToml(text: string, file: string): StoreToml {
  return readStore(readToml(text, file));
}

export function formatStoreToml(store: StoreToml): string {
  return formatToml(record({ metadata: store.metadata }));
}

export function readStore(reader: Reader): StoreToml {
  const metadata = reader.freeTable("metadata");
  return metadata === undefined ? {} : { metadata };
}
