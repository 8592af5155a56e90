import { type Cache, LayerFactory } from "@lifecycle/layers";
import {
  type ImageAccess,
  messageOf,
  type PhaseContext,
  readAnalyzed,
  readProjectMetadata,
  runImageForExport,
  writeReport,
} from "@lifecycle/phase";
import type { GroupElement } from "@lifecycle/spec-types";
import { exportCache } from "./cache.ts";
import { exportImage } from "./export.ts";
import { startImage } from "./start-image.ts";

/**
 * Exports the image and then, or with `-parallel` at the same time, the cache; writes the report. What goes wrong with
 * the cache is a warning.
 *
 * @param group the buildpacks that took part, their APIs checked
 * @param cache absent when the platform gives none; closed afterwards
 */
export async function runExport(
  context: PhaseContext,
  access: ImageAccess,
  group: readonly GroupElement[],
  cache: Cache | undefined,
): Promise<void> {
  const { inputs, env, logger } = context;
  const { platformApi, uid, gid, layersDir } = inputs;
  const factory = new LayerFactory({ uid, gid, debug: (line) => logger.debug(line) });
  const analyzed = readAnalyzed(inputs.analyzedPath, logger);
  const project = readProjectMetadata(inputs.projectMetadataPath, logger);
  const started = await startImage({
    ...inputs,
    logger,
    images: access.images,
    previousImage: analyzed.previousImage?.reference ?? "",
    sourceDateEpoch: env.SOURCE_DATE_EPOCH,
  });
  if (inputs.useLayout) {
    logger.info(`Using app image: ${access.nameOf(inputs.outputImage)}`);
  }
  const runImages = runImageForExport(inputs, logger);

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
    writeReport(inputs.reportPath, report);
  };
  const cached = async (): Promise<void> => {
    if (cache !== undefined) {
      try {
        await exportCache({ platformApi, logger, cache, factory, group, layersDir });
      } catch (error) {
        logger.warn(`Failed to export cache: ${messageOf(error)}`);
      } finally {
        await cache.close();
      }
    }
  };

  if (inputs.parallelExport) {
    await Promise.all([image(), cached()]);
  } else {
    await image();
    await cached();
  }
}
