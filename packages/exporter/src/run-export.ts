import { type Cache, LayerFactory } from "@lifecycle/layers";
import {
  ExitCode,
  failedTo,
  type ImageAccess,
  type PhaseContext,
  readProjectMetadata,
  runImageForExport,
  whilst,
  writeReport,
} from "@lifecycle/phase";
import type { Analyzed, GroupElement, Report } from "@lifecycle/spec-types";
import { messageOf } from "@lifecycle/syscall";
import { type CacheOptions, exportCache } from "./cache.ts";
import { exportImage } from "./export.ts";
import { type ExtendedRunImage, hasExtended, readExtended } from "./extended-run-image.ts";
import { startImage } from "./start-image.ts";

/**
 * Exports the image and then, or with `-parallel` at the same time, the cache; writes the report. What goes wrong with
 * the cache is a warning.
 *
 * @param group the buildpacks that took part, their APIs checked
 * @param analyzed what the analyzer found; in creator not what analyzed.toml says now, which buildpacks can write
 * @param cache absent when the platform gives none; closed afterwards
 * @throws LifecycleError with exit code 62; with 1 when the extended run image cannot be read
 */
export async function runExport(
  context: PhaseContext,
  access: ImageAccess,
  group: readonly GroupElement[],
  analyzed: Analyzed,
  cache: Cache | undefined,
): Promise<void> {
  const { inputs, env, logger, signal } = context;
  const { platformApi, uid, gid, layersDir } = inputs;
  if (platformApi.lessThan("0.13") && hasExtended(inputs.extendedDir)) {
    context.guardExperimental("Dockerfiles");
  }
  const factory = new LayerFactory({ uid, gid, debug: (line) => logger.debug(line) });
  const project = readProjectMetadata(inputs.projectMetadataPath, logger);
  const extended = platformApi.atLeast("0.12") ? await findExtended(context, analyzed) : undefined;
  const started = await startImage({
    ...inputs,
    logger,
    images: access.images,
    previousImage: analyzed.previousImage?.reference ?? "",
    extended,
    sourceDateEpoch: env.SOURCE_DATE_EPOCH,
  });
  if (inputs.useLayout) {
    logger.info(`Using app image: ${access.nameOf(inputs.outputImage)}`);
  }
  const runImages = runImageForExport(inputs, analyzed, logger);

  const image = async (): Promise<void> => {
    const report = await exportImage({
      ...inputs,
      ...started,
      logger,
      ...access,
      factory,
      group,
      analyzed,
      runImageForExport: runImages,
      project,
    });
    saveReport(inputs.reportPath, report);
  };
  const cached = async (): Promise<void> => {
    if (cache !== undefined) await saveCache({ platformApi, logger, cache, factory, group, layersDir, signal });
  };

  if (inputs.parallelExport) {
    // Also when the image fails, the cache is finished or given up before the process ends.
    const [exported] = await Promise.allSettled([image(), cached()]);
    if (exported.status === "rejected") throw exported.reason;
  } else {
    await image();
    await cached();
  }
}

/** Exports the cache, if it can be, and closes it. */
async function saveCache(options: CacheOptions): Promise<void> {
  const { cache, logger, signal } = options;
  try {
    await exportCache(options);
  } catch (error) {
    signal.throwIfAborted();
    logger.warn(`Failed to export cache: ${messageOf(error)}`);
  } finally {
    await cache.close();
  }
}

/** The extended run image, if analyzed.toml asks for one. */
async function findExtended(
  { inputs: { extendedDir }, logger }: PhaseContext,
  { runImage }: Analyzed,
): Promise<ExtendedRunImage | undefined> {
  if (runImage?.extend) {
    return whilst("failed to get extended image config", () => readExtended(extendedDir));
  }
  if (hasExtended(extendedDir)) {
    logger.warn(
      `Ignoring the extended run image in ${JSON.stringify(extendedDir)}, the run image is not to be extended`,
    );
  }
  return undefined;
}

function saveReport(path: string, report: Report): void {
  try {
    writeReport(path, report);
  } catch (error) {
    throw failedTo("write export report", error, ExitCode.exportError);
  }
}
