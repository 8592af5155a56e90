import { type Require, readRequire, requireRecord } from "./build-plan.ts";
import { readToml } from "./decode.ts";
import { ifAny, record } from "./ordered.ts";
import { formatToml } from "./toml-writer.ts";

/** What bin/build is asked to provide, at `CNB_BP_PLAN_PATH` (buildpack.md, "Buildpack Plan"). */
export interface BuildpackPlan {
  readonly entries: readonly Require[];
}

/** Reads a buildpack plan. @throws FormatError */
export function parseBuildpackPlan(text: string, file: string): BuildpackPlan {
  return { entries: readToml(text, file).tables("entries", readRequire) };
}

export function formatBuildpackPlan(plan: BuildpackPlan): string {
  return formatToml(record({ entries: ifAny(plan.entries.map(requireRecord)) }));
}
