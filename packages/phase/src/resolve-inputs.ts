import { existsSync } from "node:fs";
import { resolve as absolutePath, isAbsolute } from "node:path";
import { parseReference } from "@lifecycle/image";
import { DEFAULTS, ENV, LAYERS_PLACEHOLDER } from "@lifecycle/spec-types";
import { failedTo } from "./errors.ts";
import { ExitCode } from "./exit-codes.ts";
import { readAnalyzed, readRun, readStack } from "./files.ts";
import type { Inputs } from "./inputs.ts";
import { accessChecker, bestRunImage } from "./run-image.ts";
import type { PhaseContext } from "./run-phase.ts";

/** What each phase checks and fills in beside the paths, in order. */
type Check = (context: PhaseContext) => void | Promise<void>;

const checks = {
  analyze: [
    requireOutputImage,
    requireLayoutDir,
    fillPreviousImage,
    fillRunImage,
    checkLaunchCache,
    checkReferences,
    checkSameRegistry,
    checkParallelExport,
  ],
  build: [checkExecEnv],
  create: [
    checkExecEnv,
    requireOutputImage,
    requireLayoutDir,
    fillPreviousImage,
    fillRunImage,
    checkCache,
    checkLaunchCache,
    checkReferences,
    checkSameRegistry,
    checkParallelExport,
  ],
  detect: [checkExecEnv],
  export: [
    requireOutputImage,
    requireLayoutDir,
    fillExportRunImage,
    checkCache,
    checkLaunchCache,
    checkReferences,
    checkSameRegistry,
  ],
  extend: [requireExtendKind],
  generate: [],
  prepare: [],
  rebase: [requireOutputImage, fillRebaseRunImage, checkReferences, checkSameRegistry],
  restore: [checkCache],
} satisfies Record<string, Check[]>;

/**
 * Completes the inputs of a phase: paths below the layers directory, absolute directories, images that follow from
 * others; and checks that they fit together.
 *
 * @throws LifecycleError with exit code 3 for inputs that do not
 */
export async function resolveInputs(phase: keyof typeof checks, context: PhaseContext): Promise<void> {
  try {
    fillLayersDir(context.inputs);
    makeAbsolute(context.inputs);
    dropEmptyTags(context.inputs);
    for (const check of checks[phase]) {
      await check(context);
    }
  } catch (error) {
    throw failedTo("resolve inputs", error, ExitCode.invalidArgs);
  }
}

/** Fails with exit code 3 unless there are as many arguments as that. */
export function requireArguments(args: readonly string[], expected: number): void {
  if (args.length === expected) {
    return;
  }
  const cause =
    expected === 0 ? "received unexpected arguments" : `received ${args.length} arguments, but expected ${expected}`;
  throw failedTo("parse arguments", cause, ExitCode.invalidArgs);
}

/**
 * Takes the names of the app image: the first argument, and tags, the others.
 *
 * @throws LifecycleError with exit code 3 if there is none
 */
export function takeImageArguments(inputs: Inputs, [outputImage, ...tags]: readonly string[]): void {
  if (outputImage === undefined) {
    throw failedTo("parse arguments", "at least one image argument is required", ExitCode.invalidArgs);
  }
  inputs.outputImage = outputImage;
  inputs.tags = tags;
}

const belowLayers = [
  "analyzedPath",
  "extendedDir",
  "generatedDir",
  "groupPath",
  "orderPath",
  "planPath",
  "projectMetadataPath",
  "reportPath",
] as const;

function fillLayersDir(inputs: Inputs): void {
  for (const path of belowLayers) {
    const given = inputs[path];
    inputs[path] = given.replace(LAYERS_PLACEHOLDER, () => inputs.layersDir);
    if (given === DEFAULTS.orderPath && !existsSync(inputs[path])) {
      inputs[path] = DEFAULTS.builderOrderPath;
    }
  }
}

const directories = [
  "appDir",
  "appOutDir",
  "buildConfigDir",
  "buildpacksDir",
  "buildpacksOutDir",
  "cacheDir",
  "extendedDir",
  "extensionsDir",
  "generatedDir",
  "kanikoDir",
  "launchCacheDir",
  "layersDir",
  "layoutDir",
  "platformDir",
  "projectDescriptorPath",
] as const;

function makeAbsolute(inputs: Inputs): void {
  for (const directory of directories) {
    if (inputs[directory] !== "") {
      inputs[directory] = absolutePath(inputs[directory]);
    }
  }
}

/** Platforms hand a parameter on whether it is set or not: Tekton's task has `-tag=$(params.TAGS)`. */
function dropEmptyTags(inputs: Inputs): void {
  inputs.tags = inputs.tags.filter((tag) => tag !== "");
}

function requireOutputImage({ inputs }: PhaseContext): void {
  if (inputs.outputImage === "") {
    throw new Error("image argument is required");
  }
}

/** Before Platform API 0.12 there is no other kind. */
function requireExtendKind({ inputs }: PhaseContext): void {
  if (inputs.platformApi.lessThan("0.12")) {
    inputs.extendKind = "build";
  }
  if (inputs.extendKind !== "build" && inputs.extendKind !== "run") {
    throw new Error(`-kind has to be build or run, not ${JSON.stringify(inputs.extendKind)}`);
  }
}

/** The reference takes any name, and so may buildpacks that exist. */
function checkExecEnv({ inputs, logger }: PhaseContext): void {
  if (inputs.platformApi.atLeast("0.15") && inputs.execEnv.includes("/")) {
    logger.warn(`${ENV.execEnv} should not contain '/', which is reserved: ${JSON.stringify(inputs.execEnv)}`);
  }
}

function requireLayoutDir({ inputs }: PhaseContext): void {
  if (inputs.useLayout && inputs.layoutDir === "") {
    throw new Error("-layout-dir is required with -layout");
  }
}

function fillPreviousImage({ inputs }: PhaseContext): void {
  inputs.previousImage ||= inputs.outputImage;
}

/**
 * Takes the run image from run.toml, or before Platform API 0.12 from stack.toml, unless it is given: the first image
 * there, or the mirror of it that is in the output image's registry.
 */
async function fillRunImage(context: PhaseContext): Promise<void> {
  const { inputs, logger } = context;
  if (inputs.runImage !== "") {
    return;
  }
  const { registry } = parseReference(inputs.outputImage);
  let candidate = inputs.platformApi.lessThan("0.12")
    ? readStack(inputs.stackPath, logger).runImage
    : readRun(inputs.runPath, logger).images[0];
  if (candidate === undefined) {
    if (inputs.platformApi.atLeast("0.12")) {
      throw new Error("-run-image is required when there is no run metadata available");
    }
    candidate = {};
  }
  inputs.runImage = await bestRunImage(registry, candidate, accessChecker(context));
}

function fillExportRunImage({ inputs, env, logger }: PhaseContext): void {
  if (inputs.runImage !== "" && inputs.runImage !== env[ENV.runImage]) {
    throw new Error("-run-image is unsupported");
  }
  if (inputs.deprecatedRunImage !== "") {
    throw new Error("-image is unsupported");
  }
  const reference = readAnalyzed(inputs.analyzedPath, logger).runImage?.reference ?? "";
  if (reference === "") {
    throw new Error("run image not found in analyzed metadata");
  }
  inputs.runImage = reference;
}

function fillRebaseRunImage({ inputs, env }: PhaseContext): void {
  if (inputs.deprecatedRunImage === "") {
    return;
  }
  if (inputs.runImage !== (env[ENV.runImage] ?? "")) {
    throw new Error("supply only one of -run-image or (deprecated) -image");
  }
  inputs.runImage = inputs.deprecatedRunImage;
}

function checkCache({ inputs, logger }: PhaseContext): void {
  if (inputs.cacheImage === "" && inputs.cacheDir === "") {
    logger.warn("No cached data will be used, no cache specified.");
  }
}

function checkLaunchCache({ inputs, logger }: PhaseContext): void {
  if (!inputs.useDaemon && inputs.launchCacheDir !== "") {
    logger.warn("Ignoring -launch-cache, only intended for use with -daemon");
  }
}

function checkParallelExport({ inputs, logger }: PhaseContext): void {
  if (inputs.parallelExport && inputs.cacheImage === "" && inputs.cacheDir === "") {
    logger.warn("Parallel export has been enabled, but it has not taken effect because no cache has been specified.");
  }
}

function checkReferences({ inputs }: PhaseContext): void {
  for (const image of allImages(inputs)) {
    // layouts are also named by their directory, so by the analyzer
    if (!(inputs.useLayout && isAbsolute(image))) {
      parseReference(image);
    }
  }
}

function checkSameRegistry({ inputs }: PhaseContext): void {
  if (inputs.useDaemon) {
    return;
  }
  const registries = new Set([inputs.outputImage, ...inputs.tags].map((image) => parseReference(image).registry));
  if (registries.size > 1) {
    throw new Error("writing to multiple registries is unsupported");
  }
}

/** Every image that the inputs name, once. */
function allImages(inputs: Inputs): string[] {
  const images = [
    inputs.outputImage,
    ...inputs.tags,
    inputs.previousImage,
    inputs.buildImage,
    inputs.runImage,
    inputs.deprecatedRunImage,
    inputs.cacheImage,
  ];
  return [...new Set(images)].filter((image) => image !== "");
}

/** The images for which a registry's credentials may be needed. */
export function registryImages(inputs: Inputs): string[] {
  if (inputs.useDaemon || inputs.useLayout) {
    return inputs.cacheImage === "" ? [] : [inputs.cacheImage];
  }
  return allImages(inputs);
}
