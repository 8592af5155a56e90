import { existsSync } from "node:fs";
import { join } from "node:path";
import { analyze } from "@lifecycle/analyzer";
import { build } from "@lifecycle/builder";
import { nameOf } from "@lifecycle/buildpack";
import { detect } from "@lifecycle/detector";
import { runExport } from "@lifecycle/exporter";
import type { ImageStore } from "@lifecycle/image";
import {
  ConsoleLogger,
  ExitCode,
  failedTo,
  type ImageAccess,
  openCache,
  type PhaseContext,
  takePrepared,
  writeAnalyzed,
} from "@lifecycle/phase";
import { prepare, warnIfUnapplied } from "@lifecycle/preparer";
import { restore } from "@lifecycle/restorer";
import { DEFAULTS } from "@lifecycle/spec-types";

/** What creator gets while it has privileges. */
export interface CreatorAccess extends ImageAccess {
  /** Where the preparer finds buildpackages; absent unless it is to run. */
  readonly buildpackages?: ImageStore;
}

/**
 * Runs the phases of a build one after the other in this process (platform.md, "creator"). They hand each other the
 * same files as they do when they run one by one.
 *
 * @throws LifecycleError with the exit code of the phase that failed
 */
export async function create(context: PhaseContext, access: CreatorAccess): Promise<void> {
  const { inputs, logger } = context;

  if (access.buildpackages === undefined) {
    warnIfUnapplied(inputs, logger);
  } else {
    logger.phase("PREPARING");
    await prepareInProcess(context, access.buildpackages);
  }

  // what cannot be used is said before work starts
  const cache = await openCache(inputs, access, logger, context.signal);

  logger.phase("ANALYZING");
  const analyzed = await analyze({ ...inputs, ...access, logger });
  writeAnalyzed(inputs.analyzedPath, analyzed, logger);
  inputs.runImage = analyzed.runImage?.reference || inputs.runImage;

  logger.phase("DETECTING");
  const { group, plan } = await detect({ ...inputs, ...context });
  if (group.groupExtensions.length > 0) {
    const names = group.groupExtensions.map(nameOf).join(", ");
    const cause = `detected order contains extensions which is not supported by the creator (${names})`;
    throw failedTo("detect", `${cause}; run the phases one by one`, ExitCode.detectError);
  }
  // no extension can bring another one any more, and without one all that the buildpacks do is for nothing
  if (analyzed.runImage?.reference === "") {
    const cause = `run image '${inputs.runImage}' not found; push it there, or name another with -run-image`;
    throw failedTo("create new app image", cause, ExitCode.exportError);
  }

  if (!inputs.skipLayers || inputs.platformApi.atLeast("0.10")) {
    logger.phase("RESTORING");
    await restore({ ...inputs, logger, group: group.group, layersMetadata: analyzed.layersMetadata, cache });
  }

  logger.phase("BUILDING");
  await access.keepConnected(() =>
    build({ ...inputs, ...context, group, plan, runImageTarget: analyzed.runImage?.target }),
  );

  logger.phase("EXPORTING");
  await runExport(context, access, group.group, analyzed, cache);
}

/** Applies project.toml, and goes on with what it says. */
async function prepareInProcess(context: PhaseContext, images: ImageStore): Promise<void> {
  const { inputs, logger, env } = context;
  const prepared = await prepare({ ...inputs, ...context, images });
  takePrepared(inputs, prepared, env, process.argv.slice(2));
  inputs.appDir = prepared.app.path;
  inputs.buildpacksDir = prepared.buildpacksDir;
  const order = prepared.outputs.find(({ path }) => path === join(inputs.layersDir, "order.toml"))?.path;
  // an order that an earlier run had made is gone when this one makes none
  inputs.orderPath = order ?? (existsSync(inputs.orderPath) ? inputs.orderPath : DEFAULTS.builderOrderPath);
  const { logLevel: level, logFormat: format, noColor } = inputs;
  if (logger instanceof ConsoleLogger) logger.configure({ level, format, color: !noColor, phase: "creator" });
}
