import type { BuildpackPlan, Plan } from "@lifecycle/spec-types";
import type { ModuleKind } from "./module.ts";

/** What the build plan asks of a buildpack or an extension. */
export function planFor(kind: ModuleKind, id: string, { entries }: Plan): BuildpackPlan {
  const extension = kind === "Extension";
  return {
    entries: entries
      .filter(({ providers }) => providers.some((each) => each.id === id && (each.extension ?? false) === extension))
      .flatMap(({ requires }) => requires),
  };
}

/** The plan without what is met: that is asked of no later provider. */
export function withoutMet({ entries }: Plan, met: readonly string[]): Plan {
  return { entries: entries.filter(({ requires }) => requires.every(({ name }) => !met.includes(name))) };
}
