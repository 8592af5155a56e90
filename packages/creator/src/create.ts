import { existsSync } from "node:fs";
import { join } from "node:path";
import { analyze } from "@lifecycle/analyzer";
import { build } from "@lifecycle/builder";
import { detect } from "@lifecycle/detector";
import { runExport } from "@lifecycle/exporter";
import type { ImageStore } from "@lifecycle/image";
import {
  ConsoleLogger,
  ExitCode,
  environmentForUser,
  failedTo,
  type ImageAccess,
  openCache,
  type PhaseContext,
  runImageNotFound,
  takePrepared,
  writeAnalyzed,
} from "@lifecycle/phase";
import { prepare, warnIfUnapplied } from "@lifecycle/preparer";
import { restore } from "@lifecycle/restorer";
import { DEFAULTS } from "@lifecycle/spec-types";
import type { ExtensionWorker } from "./extension-worker.ts";
import { extendImages, type Generated, generateDockerfiles } from "./extensions.ts";

/** What creator gets while it has privileges. */
export interface CreatorAccess extends ImageAccess {
  /** Where the preparer finds buildpackages; absent unless it is to run. */
  readonly buildpackages?: ImageStore;
  /** Extends images; absent if this was not started as root, or no image extension can take part. */
  readonly worker?: ExtensionWorker;
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
  let analyzed = await analyze({ ...inputs, ...access, logger });
  writeAnalyzed(inputs.analyzedPath, analyzed, logger);
  inputs.runImage = analyzed.runImage?.reference || inputs.runImage;

  logger.phase("DETECTING");
  // only the extensions that take part count: users of creator have builders whose others they do not ask for
  const { group, plan: detected } = await detect({ ...inputs, ...context, guardExperimental: () => {} });
  let generated: Generated = { analyzed, plan: detected, toExtend: [] };
  if (group.groupExtensions.length > 0) {
    if (inputs.platformApi.lessThan("0.13")) context.guardExperimental("Dockerfiles");
    generated = await generateDockerfiles(context, access.images, access.worker, group, generated);
  }
  const { plan, toExtend } = generated;
  analyzed = generated.analyzed;
  inputs.runImage = analyzed.runImage?.reference || inputs.runImage;
  // no extension can bring another one any more, and without one all that the buildpacks do is for nothing
  if (analyzed.runImage?.reference === "") {
    const cause = `run image '${inputs.runImage}' ${runImageNotFound(inputs)}, or name another with -run-image`;
    throw failedTo("create new app image", cause, ExitCode.exportError);
  }

  if (!inputs.skipLayers || inputs.platformApi.atLeast("0.10")) {
    logger.phase("RESTORING");
    await restore({ ...inputs, logger, group: group.group, layersMetadata: analyzed.layersMetadata, cache });
  }

  // what phases that ran one by one may have left there is of another build
  inputs.extendedDir = "";
  let env = context.env;
  if (access.worker !== undefined && toExtend.length > 0) {
    const { worker } = access;
    const extended = await access.keepConnected(() => extendImages(context, worker, group, generated));
    env = environmentForUser(inputs.uid, extended);
  }

  logger.phase("BUILDING");
  const runImageTarget = analyzed.runImage?.target;
  await access.keepConnected(() => build({ ...inputs, ...context, env, group, plan, runImageTarget }));

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
