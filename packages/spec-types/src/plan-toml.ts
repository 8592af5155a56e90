import type { Require } from "./build-plan.ts";
import type { GroupElement } from "./group-toml.ts";

/** Requirements of one name, and who can provide them. */
export interface PlanEntry {
  readonly providers: readonly GroupElement[];
  readonly requires: readonly Require[];
}

/** plan.toml: the resolved build plan (platform.md, "plan.toml"). */
export interface Plan {
  readonly entries: readonly PlanEntry[];
}
