import { type Reader, readToml } from "./decode.ts";
import { record, type Writable } from "./ordered.ts";
import type { TomlTable } from "./toml-value.ts";

/** A dependency that a buildpack asks for, or an entry of the legacy bill of materials. */
export interface Require {
  readonly name: string;
  /** Deprecated in favour of `metadata.version`. */
  readonly version?: string;
  readonly metadata?: TomlTable;
}

/** A dependency that a buildpack offers. */
export interface Provide {
  readonly name: string;
}

export interface BuildPlanSections {
  readonly provides: readonly Provide[];
  readonly requires: readonly Require[];
}

/** The build plan that bin/detect writes to `CNB_BUILD_PLAN_PATH`, with its alternatives (buildpack.md, "Build Plan"). */
export interface BuildPlan extends BuildPlanSections {
  readonly or: readonly BuildPlanSections[];
}

/** Reads a build plan. @throws FormatError */
export function parseBuildPlan(text: string, file: string): BuildPlan {
  const reader = readToml(text, file);
  return { ...readSections(reader), or: reader.tables("or", readSections) };
}

function readSections(reader: Reader): BuildPlanSections {
  return {
    provides: reader.tables("provides", (provide) => ({ name: provide.string("name") })),
    requires: reader.tables("requires", readRequire),
  };
}

export function readRequire(reader: Reader): Require {
  const version = reader.optionalString("version");
  const metadata = reader.freeTable("metadata");
  return {
    name: reader.string("name"),
    ...(version !== undefined && { version }),
    ...(metadata !== undefined && { metadata }),
  };
}

export function requireFields(require: Require): { readonly [key: string]: Writable } {
  return { name: require.name, version: require.version || undefined, metadata: require.metadata };
}

export function requireRecord(require: Require): ReadonlyMap<string, Writable> {
  return record(requireFields(require));
}
