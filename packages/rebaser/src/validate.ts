import type { Image } from "@lifecycle/image";
import { inContext, type Logger, targetOf } from "@lifecycle/phase";
import {
  ApiVersion,
  ENV,
  parseMixinsLabel,
  REBASABLE_LABEL,
  STACK_ID_LABEL,
  STACK_MIXINS_LABEL,
  type TargetMetadata,
} from "@lifecycle/spec-types";

const howToOverride = "please provide -force to override";

/**
 * Checks that an app image may stand on another run image: by stack and mixins if it was built for a Platform API below
 * 0.12, else by target and by what the app image says of itself (platform.md, "rebaser").
 *
 * @throws Error that says what does not fit; with `forceRebase`, what concerns targets is only warned of
 */
export function validate(
  app: Image,
  runImage: Image,
  { forceRebase, logger }: { readonly forceRebase: boolean; readonly logger: Logger },
): void {
  if (platformApiOf(app)?.atLeast("0.12") !== true) {
    checkStack(app, runImage);
    checkMixins(app, runImage);
    return;
  }
  const problems = [rebasableProblem(app), targetProblem(targetOf(app), targetOf(runImage))];
  for (const problem of problems.filter((each) => each !== undefined)) {
    if (!forceRebase) {
      throw new Error(`${problem}; ${howToOverride}`);
    }
    logger.warn(problem);
  }
}

/** The Platform API that the app image was built for; undefined if that was before images said so. */
function platformApiOf(app: Image): ApiVersion | undefined {
  const prefix = `${ENV.platformApi}=`;
  const version = app.env.find((entry) => entry.startsWith(prefix))?.slice(prefix.length) ?? "";
  return version === "" ? undefined : ApiVersion.parse(version);
}

function checkStack(app: Image, runImage: Image): void {
  const stack = app.labels.get(STACK_ID_LABEL) ?? "";
  const newStack = runImage.labels.get(STACK_ID_LABEL) ?? "";
  if (stack === "") {
    throw new Error("stack not defined on app image");
  }
  if (newStack === "") {
    throw new Error("stack not defined on new base image");
  }
  if (stack !== newStack) {
    throw new Error(`incompatible stack: '${newStack}' is not compatible with '${stack}'`);
  }
}

function checkMixins(app: Image, runImage: Image): void {
  const needed = mixinsOf(app, "app");
  const offered = mixinsOf(runImage, "run");
  const missing = [...needed].filter((mixin) => !offered.has(mixin)).sort();
  if (missing.length > 0) {
    throw new Error(`missing required mixin(s): ${missing.join(", ")}`);
  }
}

/** The mixins of an image, without the prefix that says in which stage of a build they are needed. */
function mixinsOf(image: Image, what: string): Set<string> {
  const label = image.labels.get(STACK_MIXINS_LABEL) ?? "";
  try {
    const mixins = label === "" ? [] : parseMixinsLabel(label);
    return new Set(mixins.map((mixin) => mixin.slice(mixin.indexOf(":") + 1)));
  } catch (error) {
    throw inContext(`get ${what} image mixins`, error);
  }
}

function rebasableProblem(app: Image): string | undefined {
  return app.labels.get(REBASABLE_LABEL) === "false" ? "app image is not marked as rebasable" : undefined;
}

function targetProblem(target: TargetMetadata, newTarget: TargetMetadata): string | undefined {
  if (isSameTarget(target, newTarget)) {
    return undefined;
  }
  const [found, wanted] = [newTarget, target].map(describeTarget);
  return `unable to satisfy target os/arch constraints; new run image: ${found}, old run image: ${wanted}`;
}

/** Whether a new run image has the app image's target. What one of them leaves open may be anything in the other. */
function isSameTarget(target: TargetMetadata, newTarget: TargetMetadata): boolean {
  const { os, arch, archVariant, distro } = newTarget;
  return (
    os === target.os &&
    arch === target.arch &&
    isSameOrOpen(archVariant, target.archVariant) &&
    (distro === undefined ||
      (target.distro !== undefined &&
        (distro.name === "" || distro.name === target.distro.name) &&
        (distro.version === "" || distro.version === target.distro.version)))
  );
}

function isSameOrOpen(left: string | undefined, right: string | undefined): boolean {
  return left === undefined || right === undefined || left === right;
}

/** The target as JSON, under the names that analyzed.toml has. */
function describeTarget({ id, os, arch, archVariant, distro }: TargetMetadata): string {
  return JSON.stringify({ id, os, arch, "arch-variant": archVariant, distro });
}
