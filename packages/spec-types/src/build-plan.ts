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
