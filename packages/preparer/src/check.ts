import { readdirSync } from "node:fs";
import { join } from "node:path";
import { formatBaseTarget, formatTargets, matchesTarget, nameOf } from "@lifecycle/buildpack";
import { buildpackTargets, type TargetMetadata } from "@lifecycle/spec-types";
import type { Builder } from "./builder.ts";
import { failure } from "./errors.ts";
import type { FetchedBuildpack } from "./sources.ts";

/** Against what buildpacks are checked. */
export interface Checks {
  /** Fails with exit code 12 for a Buildpack API that is not supported. */
  verifyApi(kind: string, name: string, api: string): void;
  /** The build's target; undefined where the Platform API does not know targets. */
  readonly target: TargetMetadata | undefined;
  readonly builder: Builder;
}

/**
 * Checks before minutes of build that what was fetched can be built with: its Buildpack API; for a composite buildpack
 * that all it names is there; for one that the order names itself, its targets. A composite buildpack's parts may be
 * for other targets, since detection chooses among its groups.
 *
 * @returns what is remarkable but no failure, one line for each
 * @throws LifecycleError with exit code 12, 112 or 115
 */
export function checkBuildpacks(
  all: readonly FetchedBuildpack[],
  named: ReadonlySet<FetchedBuildpack>,
  { verifyApi, target, builder }: Checks,
): string[] {
  const remarks: string[] = [];
  for (const buildpack of all) {
    const { descriptor } = buildpack;
    verifyApi("Buildpack", nameOf(buildpack), descriptor.api);
    for (const { id, version } of descriptor.order.flatMap(({ group }) => group)) {
      if (!builder.has(id, version) && !all.some((each) => each.id === id && each.version === version)) {
        const places = "neither its package nor the builder has it";
        throw failure("buildpackNotFound", `buildpack '${nameOf(buildpack)}' needs '${id}@${version}', but ${places}`);
      }
    }
    if (target === undefined || descriptor.order.length > 0) continue;
    const targets = buildpackTargets(descriptor, list(join(buildpack.dir, "bin")));
    if (targets.length === 0 || targets.some((each) => matchesTarget(target, each))) continue;
    const what = `buildpack '${nameOf(buildpack)}' is for ${formatTargets(targets)}, not for ${formatBaseTarget(target)}`;
    if (named.has(buildpack)) throw failure("incompatibleTarget", `${what}, which the application is to run on`);
    remarks.push(what);
  }
  return remarks;
}

function list(dir: string): string[] {
  try {
    return readdirSync(dir);
  } catch {
    return [];
  }
}
