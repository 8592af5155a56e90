import type { BuildPlanSections, GroupElement, PlanEntry, Provide, Require } from "@lifecycle/spec-types";
import { type DetectRun, detectFail, detectPass } from "./detect.ts";
import type { Logger } from "./logger.ts";
import { nameOf } from "./module.ts";

/** What became of a group, or of an order. */
export type Resolution =
  | {
      readonly kind: "passed";
      /** The buildpacks and extensions that take part, in order. */
      readonly group: readonly GroupElement[];
      readonly plan: readonly PlanEntry[];
    }
  | {
      readonly kind: "failed";
      /** Whether a program ended in error, not merely with "does not apply". */
      readonly erred: boolean;
    };

/** An element of a group and how its bin/detect ended. */
export interface DetectedElement {
  readonly element: GroupElement;
  readonly run: DetectRun;
}

/**
 * Whether a group passes: all that is not optional passed detection, at least one buildpack did, and of the build plans
 * that the members offer one combination fits. Buildpack spec, "Phase #1: Detection".
 */
export function resolveGroup(detected: readonly DetectedElement[], logger: Logger): Resolution {
  for (const { element, run } of detected) logRun(element, run, logger);
  logger.debug("======== Results ========");
  for (const { element, run } of detected) logVerdict(element, run, logger);

  if (detected.some(({ element, run }) => run.code !== detectPass && !element.optional)) {
    return { kind: "failed", erred: detected.some(({ run }) => run.code !== detectPass && run.code !== detectFail) };
  }
  const passed = detected.filter(({ run }) => run.code === detectPass);
  if (passed.every(({ element }) => element.extension)) {
    logger.debug("fail: no viable buildpacks in group");
    return { kind: "failed", erred: false };
  }
  const trial = firstPassingTrial(passed, logger);
  if (trial === undefined) return { kind: "failed", erred: false };

  if (trial.options.length !== detected.length) {
    logger.info(`${trial.options.length} of ${detected.length} buildpacks participating`);
  }
  const width = Math.max(...trial.options.map(({ element }) => element.id.length));
  for (const { element } of trial.options) logger.info(`${element.id.padEnd(width)} ${element.version}`);
  return {
    kind: "passed",
    group: trial.options.map(({ element }) => required(element)),
    plan: [...trial.dependencies.values()].map(({ providers, requires }) => ({
      providers: providers.map(asProvider),
      requires,
    })),
  };
}

function logRun(element: GroupElement, { code, output, error }: DetectRun, logger: Logger): void {
  const log = (message: string): void => {
    if (code === detectPass || code === detectFail) logger.debug(message);
    else logger.info(message);
  };
  if (output !== "") {
    log(`======== Output: ${nameOf(element)} ========`);
    log(output);
  }
  if (error !== undefined) {
    log(`======== Error: ${nameOf(element)} ========`);
    log(error);
  }
}

function logVerdict(element: GroupElement, { code }: DetectRun, logger: Logger): void {
  const name = nameOf(element);
  if (code === detectPass) logger.debug(`pass: ${name}`);
  else if (code === detectFail) logger.debug(`${element.optional ? "skip" : "fail"}: ${name}`);
  else if (code === undefined) logger.info(`err:  ${name}`);
  else logger.info(`err:  ${name} (${code})`);
}

/** One of the build plans that a member of a group offers. */
interface Option {
  readonly element: GroupElement;
  readonly sections: BuildPlanSections;
}

interface Trial {
  readonly options: readonly Option[];
  /** By the dependencies' names, in the order in which they are first mentioned. */
  readonly dependencies: ReadonlyMap<string, Dependency>;
}

/**
 * Tries one plan of each member after the other, depth-first from the left. The choices are counted up like the digits
 * of a number, so that memory stays flat however many combinations there are.
 */
function firstPassingTrial(passed: readonly DetectedElement[], logger: Logger): Trial | undefined {
  const alternatives = passed.map(optionsOf);
  const chosen = alternatives.map(() => 0);
  for (let attempt = 1; ; attempt += 1) {
    const options = alternatives.flatMap((each, index) => each[chosen[index] ?? 0] ?? []);
    logger.debug(`Resolving plan... (try #${attempt})`);
    const trial = runTrial(options, logger);
    if (trial !== undefined) return trial;
    if (!chooseNext(chosen, alternatives)) return undefined;
  }
}

/** Goes to the next combination; false after the last. */
function chooseNext(chosen: number[], alternatives: readonly (readonly Option[])[]): boolean {
  for (let index = chosen.length - 1; index >= 0; index -= 1) {
    const next = (chosen[index] ?? 0) + 1;
    chosen[index] = next < (alternatives[index]?.length ?? 0) ? next : 0;
    if (chosen[index] !== 0) return true;
  }
  return false;
}

/** A member may be left out, if it is optional, only once its last plan has been tried. */
function optionsOf({ element, run }: DetectedElement): readonly Option[] {
  const { or, ...first } = run.plan;
  return [first, ...or].map((sections, index) => ({
    element: { ...element, optional: element.optional === true && index === or.length },
    sections,
  }));
}

/** Leaves out optional members whose plans do not fit, until all fit or a required one does not. */
function runTrial(all: readonly Option[], logger: Logger): Trial | undefined {
  let options = all;
  for (;;) {
    const dependencies = collectDependencies(options);
    const misfits = [...findMisfits(dependencies)];
    for (const { element, problem } of misfits) {
      if (!element.optional) {
        logger.debug(`fail: ${nameOf(element)} ${problem}`);
        return undefined;
      }
      logger.debug(`skip: ${nameOf(element)} ${problem}`);
    }
    if (misfits.length === 0) {
      if (options.length > 0) return { options, dependencies };
      logger.debug("fail: no viable buildpacks in group");
      return undefined;
    }
    const removed = new Set(misfits.map(({ element }) => element));
    options = options.filter(({ element }) => !removed.has(element));
  }
}

/** Who provides and who requires a dependency. */
interface Dependency {
  readonly providers: GroupElement[];
  readonly requires: Require[];
  /** Those who require it before anybody provides it. */
  readonly early: GroupElement[];
  /** Those who provide it though nobody after them requires it. */
  unused: GroupElement[];
}

function collectDependencies(options: readonly Option[]): ReadonlyMap<string, Dependency> {
  const dependencies = new Map<string, Dependency>();
  const dependency = ({ name }: Provide | Require): Dependency => {
    const entry = dependencies.get(name) ?? { providers: [], requires: [], early: [], unused: [] };
    dependencies.set(name, entry);
    return entry;
  };
  for (const { element, sections } of options) {
    for (const provide of sections.provides) dependency(provide).unused.push(element);
    for (const require of sections.requires) {
      const entry = dependency(require);
      entry.providers.push(...entry.unused);
      entry.unused = [];
      if (entry.providers.length === 0) entry.early.push(element);
      else entry.requires.push(require);
    }
  }
  return dependencies;
}

function* findMisfits(
  dependencies: ReadonlyMap<string, Dependency>,
): Generator<{ readonly element: GroupElement; readonly problem: string }> {
  for (const [name, { early }] of dependencies) {
    for (const element of early) yield { element, problem: `requires ${name}` };
  }
  for (const [name, { unused }] of dependencies) {
    for (const element of unused) yield { element, problem: `provides unused ${name}` };
  }
}

function required({ optional: _, ...element }: GroupElement): GroupElement {
  return element;
}

function asProvider({ id, version, extension }: GroupElement): GroupElement {
  return { id, version, ...(extension ? { extension } : {}) };
}
