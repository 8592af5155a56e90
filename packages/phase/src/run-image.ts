import { parseReference } from "@lifecycle/image";
import type { Analyzed, RunImageForExport } from "@lifecycle/spec-types";
import { messageOf } from "@lifecycle/syscall";
import { LifecycleError } from "./errors.ts";
import { ExitCode } from "./exit-codes.ts";
import { readBuildMetadata, readRun, readStack } from "./files.ts";
import { openRegistry, type StoreContext } from "./image-access.ts";
import type { Inputs } from "./inputs.ts";
import type { Logger } from "./logger.ts";

/** Whether an image may be read. */
export type AccessCheck = (image: string) => Promise<boolean>;

/** How long a registry may take to show whether an image can be read, in milliseconds: there may be another mirror. */
const patienceWithMirrors = 10_000;

/**
 * Asks the image's registry; a daemon's or a layout's images are all taken as readable.
 *
 * @param patience after how many milliseconds without an answer an image counts as not readable
 */
export function accessChecker(context: StoreContext, patience: number = patienceWithMirrors): AccessCheck {
  const { inputs } = context;
  if (inputs.useDaemon || inputs.useLayout) {
    return () => Promise.resolve(true);
  }
  return async (image) => {
    try {
      const signal = AbortSignal.any([context.signal, AbortSignal.timeout(patience)]);
      await (await openRegistry({ ...context, signal }, [image])).checkRead(image);
      return true;
    } catch (error) {
      context.signal.throwIfAborted();
      context.logger.debug(`${image} cannot be read: ${messageOf(error)}`);
      return false;
    }
  };
}

/**
 * Chooses among a run image and its mirrors: the first readable one in the target's registry, else the first readable
 * one (platform.md, "Run Image Resolution").
 */
export async function bestRunImage(
  targetRegistry: string,
  candidate: RunImageForExport,
  canRead: AccessCheck,
): Promise<string> {
  if (candidate.image === undefined) {
    throw new Error("missing run image metadata (-run-image)");
  }
  const images = namesOf(candidate);
  const near = images.filter((image) => registryOf(image) === targetRegistry);
  for (const image of new Set([...near, ...images])) {
    if (await canRead(image)) {
      return image;
    }
  }
  throw new Error("failed to find accessible run image");
}

function registryOf(image: string): string | undefined {
  try {
    return parseReference(image).registry;
  } catch {
    return undefined;
  }
}

/**
 * The run image and its mirrors for the app image's metadata: from stack.toml before Platform API 0.12, afterwards the
 * entry of run.toml that has the analyzed run image, or the first one.
 */
export function runImageForExport(inputs: Inputs, { runImage }: Analyzed, logger: Logger): RunImageForExport {
  if (inputs.platformApi.lessThan("0.12")) {
    return readStack(inputs.stackPath, logger).runImage;
  }
  const [first, ...others] = readRun(inputs.runPath, logger).images;
  if (first === undefined) {
    return {};
  }
  const analyzed = runImage?.image ?? "";
  const match = [first, ...others].find((each) => containsImage(each, analyzed));
  if (match !== undefined) {
    return match;
  }
  // an extension may have switched to a run image that run.toml does not know
  const { extensions } = readBuildMetadata(inputs.layersDir, inputs.platformApi);
  return extensions.length > 0 ? { image: analyzed } : first;
}

/**
 * Checks that the run image chosen by the analyzer can still be read (Platform API 0.14). One that run.toml does not
 * know was chosen by an extension and is taken as it is.
 *
 * @throws LifecycleError with exit code 1
 */
export async function requireAccessibleRunImage(
  image: string,
  known: readonly RunImageForExport[],
  canRead: AccessCheck,
): Promise<void> {
  if (known.some((each) => containsImage(each, image)) && !(await canRead(image))) {
    throw new LifecycleError(`selected run image '${image}' is not accessible`, ExitCode.failed);
  }
}

/** Whether an image is the run image or one of its mirrors; digests do not count, spellings of one name do not differ. */
export function containsImage(candidate: RunImageForExport, image: string): boolean {
  const wanted = comparableName(image);
  return namesOf(candidate).some((each) => comparableName(each) === wanted);
}

/**
 * Says that there is no such run image where images lie, and what to do: "not found in the daemon; pull it there".
 * Platforms fetch the run image that the user names, and may not know of one that an extension chooses.
 */
export function runImageNotFound({
  useDaemon,
  useLayout,
  layoutDir,
}: Pick<Inputs, "useDaemon" | "useLayout" | "layoutDir">): string {
  if (useDaemon) return "not found in the daemon; pull it there";
  return useLayout ? `not found in ${layoutDir}; copy it there` : "not found; push it there";
}

function namesOf({ image, mirrors = [] }: RunImageForExport): string[] {
  return image === undefined ? [...mirrors] : [image, ...mirrors];
}

/** The full name without its digest, with `latest` where it has no tag; any text that is no reference as it is. */
function comparableName(image: string): string {
  const [name = image] = image.split("@sha256:");
  try {
    return parseReference(name).name;
  } catch {
    return image;
  }
}
