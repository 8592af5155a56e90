import { analyze } from "@lifecycle/analyzer";
import { build } from "@lifecycle/builder";
import { detect } from "@lifecycle/detector";
import { runExport } from "@lifecycle/exporter";
import { type ImageAccess, openCache, type PhaseContext, writeAnalyzed } from "@lifecycle/phase";
import { restore } from "@lifecycle/restorer";

/**
 * Runs the phases of a build one after the other in this process (platform.md, "creator"). They hand each other the
 * same files as they do when they run one by one.
 *
 * @throws LifecycleError with the exit code of the phase that failed
 */
export async function create(context: PhaseContext, access: ImageAccess): Promise<void> {
  const { inputs, logger } = context;

  // what cannot be used is said before work starts
  const cache = await openCache(inputs, access);

  logger.phase("ANALYZING");
  const analyzed = await analyze({ ...inputs, ...access, logger });
  writeAnalyzed(inputs.analyzedPath, analyzed, logger);
  inputs.runImage = analyzed.runImage?.reference || inputs.runImage;

  logger.phase("DETECTING");
  const { group, plan } = await detect({ ...inputs, ...context });

  if (!inputs.skipLayers || inputs.platformApi.atLeast("0.10")) {
    logger.phase("RESTORING");
    await restore({ ...inputs, logger, group: group.group, layersMetadata: analyzed.layersMetadata, cache });
  }

  logger.phase("BUILDING");
  await access.keepConnected(() =>
    build({ ...inputs, ...context, group, plan, runImageTarget: analyzed.runImage?.target }),
  );

  logger.phase("EXPORTING");
  await runExport(context, access, group.group, cache);
}
