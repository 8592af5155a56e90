import { type Require, readRequire, requireFields } from "./build-plan.ts";
import { type Reader, readToml } from "./decode.ts";
import { type GroupElement, groupElementJson, groupElementRecord, readGroupElement } from "./group-toml.ts";
import { formatJson } from "./json.ts";
import { record, type Writable } from "./ordered.ts";

/** An entry of the legacy, unstructured bill of materials. */
export interface BomEntry extends Require {
  /** Who wrote it; set by the lifecycle. */
  readonly buildpack: GroupElement;
}

/** build.toml (buildpack.md, "build.toml"). */
export interface BuildToml {
  readonly bom: readonly BomEntry[];
  /** Names of plan entries that the buildpack leaves to the next provider. */
  readonly unmet: readonly { readonly name: string }[];
}

/** Reads build.toml. @throws FormatError */
export function parseBuildToml(text: string, file: string): BuildToml {
  const reader = readToml(text, file);
  return {
    bom: reader.tables("bom", readBomEntry),
    unmet: reader.tables("unmet", (unmet) => ({ name: unmet.string("name") })),
  };
}

export function readBomEntry(reader: Reader): BomEntry {
  return { ...readRequire(reader), buildpack: readGroupElement(reader.table("buildpack")) };
}

/** An entry as TOML files have it. */
export function bomEntryRecord(entry: BomEntry): ReadonlyMap<string, Writable> {
  return record({ ...requireFields(entry), buildpack: groupElementRecord(entry.buildpack) });
}

/** An entry as labels and the legacy SBOM files have it. */
export function bomEntryJson(entry: BomEntry): ReadonlyMap<string, Writable> {
  return record({
    ...requireFields(entry),
    metadata: entry.metadata ?? null,
    buildpack: groupElementJson(entry.buildpack),
  });
}

/** Writes `sbom.legacy.json`: the legacy bill of materials, from Platform API 0.9 on in a file of its own. */
export function formatLegacySbom(bom: readonly BomEntry[]): string {
  return `${formatJson(bom.length > 0 ? bom.map(bomEntryJson) : null)}\n`;
}
