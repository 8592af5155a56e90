import { type Require, readRequire, requireRecord } from "./build-plan.ts";
import { readToml } from "./decode.ts";
import { type GroupElement, groupElementRecord, readGroupElement } from "./group-toml.ts";
import { ifAny, record } from "./ordered.ts";
import { formatToml } from "./toml-writer.ts";

/** Requirements of one name, and who can provide them. */
export interface PlanEntry {
  readonly providers: readonly GroupElement[];
  readonly requires: readonly Require[];
}

/** plan.toml: the resolved build plan (platform.md, "plan.toml"). */
export interface Plan {
  readonly entries: readonly PlanEntry[];
}

/** Reads plan.toml. @throws FormatError */
export function parsePlan(text: string, file: string): Plan {
  return {
    entries: readToml(text, file).tables("entries", (entry) => ({
      providers: entry.tables("providers", readGroupElement),
      requires: entry.tables("requires", readRequire),
    })),
  };
}

export function formatPlan(plan: Plan): string {
  const entries = plan.entries.map(({ providers, requires }) =>
    record({
      providers: ifAny(providers.map(groupElementRecord)),
      requires: ifAny(requires.map(requireRecord)),
    }),
  );
  return formatToml(record({ entries: ifAny(entries) }));
}
