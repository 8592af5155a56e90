import type { Env } from "@lifecycle/env";
import {
  ApiVersion,
  type Group,
  type GroupElement,
  type OrderGroup,
  type Plan,
  type Target,
  type TargetMetadata,
} from "@lifecycle/spec-types";
import { type DetectRun, detect, erredRun } from "./detect.ts";
import type { DirStore } from "./dir-store.ts";
import type { Logger } from "./logger.ts";
import { kindOf, type Module, nameOf } from "./module.ts";
import { asCandidates, type Candidate, type VerifyApi } from "./order.ts";
import { type Resolution, resolveGroup } from "./resolve.ts";
import { BuildTarget, formatBaseTarget, formatTargets, matchesTarget, targetEnv } from "./target.ts";

/** What detection is given. Paths are absolute. */
export interface DetectOrderInputs {
  readonly appDir: string;
  readonly platformDir: string;
  readonly buildConfigDir: string;
  /** Environment of bin/detect before the overrides of platform and operator. */
  readonly env: Env;
  /** The execution environment that buildpacks must be for; empty if that is not asked. */
  readonly execEnv: string;
  /** The run image's target as analyzed.toml has it. */
  readonly runImageTarget: TargetMetadata | undefined;
  readonly platformApi: ApiVersion;
  readonly store: DirStore;
  /** Asked about what composite buildpacks name, which {@link verifyOrder} does not look at. */
  readonly verifyBuildpackApi: VerifyApi;
  readonly logger: Logger;
  /** Takes the lines that show how groups are resolved. */
  readonly resolverLogger: Logger;
}

/** What detection found, as group.toml and plan.toml have it. */
export interface Detected {
  readonly group: Group;
  readonly plan: Plan;
}

/** No group of the order passed detection. */
export class DetectionError extends Error {
  override readonly name = "DetectionError";
  /** Whether a program ended in error, not merely with "does not apply". */
  readonly erred: boolean;

  constructor(erred: boolean) {
    super(erred ? "buildpack(s) failed with err" : "no buildpacks participating");
    this.erred = erred;
  }
}

/**
 * Finds the first group of an order that passes detection. The programs of a group run in parallel, and each of them
 * once, however many groups it is in. Buildpack spec, "Phase #1: Detection".
 *
 * @throws DetectionError if no group passes
 * @throws Error if a buildpack or extension cannot be read or has an API that is not supported, or a composite buildpack
 *   refers to itself
 */
export async function detectOrder(
  order: readonly (readonly Candidate[])[],
  inputs: DetectOrderInputs,
): Promise<Detected> {
  const search = new Search(inputs);
  try {
    const resolution = await search.groups(order.map(asSteps), [], [], false);
    if (resolution.kind === "failed") throw new DetectionError(resolution.erred);
    return {
      group: {
        group: resolution.group.filter((element) => !element.extension),
        groupExtensions: resolution.group.filter((element) => element.extension).map(withoutExtension),
      },
      plan: { entries: resolution.plan },
    };
  } finally {
    await search.settled();
  }
}

/** A candidate, and the composite buildpacks that it stands in, outermost first. */
interface Step {
  readonly candidate: Candidate;
  readonly within: readonly string[];
}

class Search {
  readonly #inputs: DetectOrderInputs;
  readonly #target: BuildTarget;
  readonly #runs = new Map<string, Promise<DetectRun>>();

  constructor(inputs: DetectOrderInputs) {
    this.#inputs = inputs;
    this.#target = new BuildTarget(inputs.runImageTarget, inputs.logger);
  }

  /** Resolves once no program runs any more. */
  async settled(): Promise<void> {
    await Promise.all(this.#runs.values());
  }

  /**
   * Tries groups, each together with what has been gone through before it and what follows it.
   *
   * @param optional whether what follows may also do without any of the groups
   */
  async groups(
    groups: readonly (readonly Step[])[],
    done: readonly GroupElement[],
    next: readonly Step[],
    optional: boolean,
  ): Promise<Resolution> {
    let erred = false;
    for (const group of groups) {
      const resolution = await this.#group([...group, ...next], done);
      if (resolution.kind === "passed") return resolution;
      erred ||= resolution.erred;
    }
    return optional ? this.#group(next, done) : { kind: "failed", erred };
  }

  async #group(steps: readonly Step[], before: readonly GroupElement[]): Promise<Resolution> {
    const done = [...before];
    for (const [index, { candidate, within }] of steps.entries()) {
      const next = steps.slice(index + 1);
      if (candidate.kind === "extensions") {
        return this.groups(asNested(candidate.order, within), done, next, true);
      }
      const { element } = candidate;
      if (done.some((other) => kindOf(other) === kindOf(element) && other.id === element.id)) continue;

      const module = this.#inputs.store.lookup(kindOf(element), element.id, element.version);
      if (module.kind === "Buildpack" && module.order.length > 0) {
        const path = [...within, nameOf(element)];
        if (within.includes(nameOf(element))) {
          throw new Error(`composite buildpack '${nameOf(element)}' refers to itself: ${path.join(" -> ")}`);
        }
        return this.groups(asNested(module.order, path), done, next, element.optional === true);
      }
      if (within.length > 0) this.#inputs.verifyBuildpackApi(module.kind, nameOf(element), module.api);
      if (this.#start(element, module)) done.push(detectedElement(element, module));
    }
    return this.#resolve(done);
  }

  async #resolve(done: readonly GroupElement[]): Promise<Resolution> {
    const detected = await Promise.all(
      done.map(async (element) => {
        const run = await this.#runs.get(keyOf(element));
        return { element, run: run ?? erredRun(`missing detection of '${keyOf(element)}'`) };
      }),
    );
    return resolveGroup(detected, this.#inputs.resolverLogger);
  }

  /** Starts bin/detect unless it ran already; false if the element is not for this execution environment. */
  #start(element: GroupElement, module: Module): boolean {
    const { platformApi } = this.#inputs;
    const key = keyOf(element);
    if (platformApi.atLeast("0.12") && !this.#supportsTarget(module) && !element.optional) {
      const base = formatBaseTarget(this.#target.get());
      const declared = formatTargets(module.targets);
      const error = `unable to satisfy target os/arch constraints; run image: ${base}, buildpack: ${declared}`;
      this.#runs.set(key, Promise.resolve(erredRun(error)));
      return true;
    }
    if (platformApi.atLeast("0.15") && !this.#supportsExecEnv(element, module)) return false;
    if (!this.#runs.has(key)) this.#runs.set(key, this.#detect(module));
    return true;
  }

  #supportsTarget(module: Module): boolean {
    if (module.targets.length === 0) return true;
    return module.targets.some((target) => {
      this.#inputs.logger.debug(`Checking for match against descriptor: ${formatTarget(target)}`);
      return matchesTarget(this.#target.get(), target);
    });
  }

  #supportsExecEnv(element: GroupElement, module: Module): boolean {
    const { execEnv, logger } = this.#inputs;
    const supported = ApiVersion.tryParse(module.api)?.atLeast("0.12") ? module.info.execEnv : [];
    if (execEnv === "" || supported.length === 0 || supported.includes("*") || supported.includes(execEnv)) return true;
    logger.debug(
      `Skipping ${nameOf(element)} due to execution environment mismatch; ` +
        `current: ${execEnv}, buildpack supports: [${supported.join(" ")}]`,
    );
    return false;
  }

  #detect(module: Module): Promise<DetectRun> {
    return detect(module, { ...this.#inputs, targetEnv: targetEnv(this.#target.get()) });
  }
}

function asSteps(candidates: readonly Candidate[]): readonly Step[] {
  return candidates.map((candidate) => ({ candidate, within: [] }));
}

function asNested(order: readonly OrderGroup[], within: readonly string[]): readonly (readonly Step[])[] {
  return order.map(({ group }) => asCandidates(group).map((candidate) => ({ candidate, within })));
}

function detectedElement(element: GroupElement, module: Module): GroupElement {
  const { homepage } = module.info;
  return { ...element, api: module.api, ...(homepage ? { homepage } : {}) };
}

function keyOf(element: GroupElement): string {
  return `${kindOf(element)} ${nameOf(element)}`;
}

function withoutExtension({ extension: _, ...element }: GroupElement): GroupElement {
  return element;
}

/** A declared target in the notation that the reference's users know from this line: `{linux amd64  [{ubuntu 24.04}]}`. */
function formatTarget({ os, arch, archVariant, distros }: Target): string {
  const list = (distros ?? []).map(({ name, version }) => `{${name} ${version}}`).join(" ");
  return `{${os} ${arch} ${archVariant ?? ""} [${list}]}`;
}
