import type { Require } from "./build-plan.ts";

/** What bin/build is asked to provide, at `CNB_BP_PLAN_PATH` (buildpack.md, "Buildpack Plan"). */
export interface BuildpackPlan {
  readonly entries: readonly Require[];
}
