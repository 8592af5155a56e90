import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import {
  type Analyzed,
  type ApiVersion,
  type BuildMetadata,
  decodeText,
  EMPTY_LAYERS_METADATA,
  formatAnalyzed,
  formatBuildMetadata,
  formatGroup,
  formatPlan,
  formatReport,
  type Group,
  type Order,
  type Plan,
  type Prepared,
  type ProjectMetadata,
  parseAnalyzed,
  parseBuildMetadata,
  parseGroup,
  parseOrder,
  parsePlan,
  parsePrepared,
  parseProjectMetadata,
  parseRun,
  parseStack,
  parseSystem,
  type Report,
  type Run,
  type RunImage,
  type Stack,
  type System,
} from "@lifecycle/spec-types";
import { systemCode } from "@lifecycle/syscall";
import { failedTo, LifecycleError } from "./errors.ts";
import type { Logger } from "./logger.ts";
import { writeFileAtomic } from "./write-file.ts";

// The files that phases hand to each other and platforms to them. Reading fails with the file, line and column of what
// is wrong; writing is all or nothing.

/** What analyzed.toml says; nothing, with a warning, when there is none. */
export function readAnalyzed(path: string, logger: Logger): Analyzed {
  const analyzed = readIfExists(path, "analyzed", parseAnalyzed);
  if (analyzed === undefined) {
    logger.warn(`No analyzed metadata found at path ${JSON.stringify(path)}`);
  }
  return analyzed ?? { layersMetadata: EMPTY_LAYERS_METADATA };
}

export function writeAnalyzed(path: string, analyzed: Analyzed, logger: Logger): void {
  logRunImage("is", analyzed.runImage, logger);
  write(path, "analyzed", formatAnalyzed(analyzed));
}

/** Says at log level debug what analyzed.toml tells, or told before, of the run image. */
export function logRunImage(tense: "was" | "is", runImage: RunImage | undefined, logger: Logger): void {
  logger.debug(`Run image info in analyzed metadata ${tense}: `);
  logger.debug(describeRunImage(runImage));
}

/** The run image as JSON, under the names that the reference's debug lines have. */
function describeRunImage(runImage: RunImage | undefined): string {
  if (runImage === undefined) {
    return "null";
  }
  const { reference, image = "", extend = false, target } = runImage;
  const { id, os, arch, archVariant, distro } = target ?? {};
  return JSON.stringify({
    Reference: reference,
    Image: image,
    Extend: extend,
    target: target && { id, os, arch, "arch-variant": archVariant, distro },
  });
}

/** @throws LifecycleError also when the file is missing */
export function readGroup(path: string): Group {
  return read(path, "group", parseGroup);
}

export function writeGroup(path: string, group: Group): void {
  write(path, "group", formatGroup(group));
}

/** @throws LifecycleError also when the file is missing */
export function readOrder(path: string): Order {
  return read(path, "order", parseOrder);
}

/** @throws LifecycleError also when the file is missing */
export function readPlan(path: string): Plan {
  return read(path, "plan", parsePlan);
}

export function writePlan(path: string, plan: Plan): void {
  write(path, "plan", formatPlan(plan));
}

/**
 * What the builder left in `<layers>/config/metadata.toml`.
 *
 * @throws LifecycleError also when the file is missing
 */
export function readBuildMetadata(layersDir: string, api: ApiVersion): BuildMetadata {
  return read(buildMetadataPath(layersDir), "build metadata", (text, file) => parseBuildMetadata(text, file, api));
}

export function writeBuildMetadata(layersDir: string, metadata: BuildMetadata, api: ApiVersion): void {
  write(buildMetadataPath(layersDir), "build metadata", formatBuildMetadata(metadata, api));
}

function buildMetadataPath(layersDir: string): string {
  return join(layersDir, "config", "metadata.toml");
}

/** What the preparer left in prepared.toml; undefined when there is none. */
export function readPrepared(path: string): Prepared | undefined {
  return readIfExists(path, "prepared", parsePrepared);
}

/** What project-metadata.toml says; nothing when there is none. */
export function readProjectMetadata(path: string, logger: Logger): ProjectMetadata {
  const metadata = readIfExists(path, "project metadata", parseProjectMetadata);
  if (metadata === undefined) {
    logger.debug(`No project metadata found at path ${JSON.stringify(path)}, project metadata will not be exported`);
  }
  return metadata ?? {};
}

export function writeReport(path: string, report: Report): void {
  write(path, "report", formatReport(report));
}

/** What run.toml says; no images when there is none. */
export function readRun(path: string, logger: Pick<Logger, "info">): Run {
  const run = readIfExists(path, "run", parseRun);
  if (run === undefined) {
    logger.info(`No run metadata found at path ${JSON.stringify(path)}`);
  }
  return run ?? { images: [] };
}

/** What stack.toml says; no run image when there is none. */
export function readStack(path: string, logger: Logger): Stack {
  const stack = readIfExists(path, "stack", parseStack);
  if (stack === undefined) {
    logger.info(`No stack metadata found at path ${JSON.stringify(path)}`);
  }
  return stack ?? { runImage: {} };
}

/** What system.toml says; no buildpacks when there is none. */
export function readSystem(path: string, logger: Logger): System {
  const system = readIfExists(path, "system", parseSystem);
  if (system === undefined) {
    logger.debug(`No system buildpacks found at path ${JSON.stringify(path)}`);
  }
  return system ?? { pre: [], post: [] };
}

type Parse<T> = (text: string, file: string) => T;

function read<T>(path: string, what: string, parse: Parse<T>, bytes = () => bytesOf(path)): T {
  try {
    return parse(decodeText(bytes(), path), path);
  } catch (error) {
    throw failedTo(`read ${what} file`, error);
  }
}

function readIfExists<T>(path: string, what: string, parse: Parse<T>): T | undefined {
  try {
    const bytes = bytesOf(path);
    return read(path, what, parse, () => bytes);
  } catch (error) {
    if (systemCode(error) === "ENOENT") {
      return undefined;
    }
    throw error instanceof LifecycleError ? error : failedTo(`read ${what} file`, error);
  }
}

function bytesOf(path: string): Buffer {
  if (isNamedPipe(path)) {
    throw new Error(`read ${path}: is a named pipe`);
  }
  try {
    return readFileSync(path);
  } catch (error) {
    // The only error that does not name its path.
    if (systemCode(error) === "EISDIR") {
      throw new Error(`read ${path}: is a directory`, { cause: error });
    }
    throw error;
  }
}

/** A buildpack can leave one, and it would be waited for in vain; what a shell hands over as a pipe is below /dev. */
function isNamedPipe(path: string): boolean {
  try {
    return !path.startsWith("/dev/") && statSync(path).isFIFO();
  } catch {
    // Reading it says what is wrong.
    return false;
  }
}

function write(path: string, what: string, text: string): void {
  try {
    writeFileAtomic(path, text);
  } catch (error) {
    throw failedTo(`write ${what} file`, error);
  }
}
