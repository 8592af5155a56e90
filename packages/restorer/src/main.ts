import {
  accessChecker,
  becomeUser,
  ExitCode,
  type FlagName,
  failedTo,
  type ImageAccess,
  openCache,
  openImageAccess,
  type Phase,
  type PhaseContext,
  readAnalyzed,
  readGroup,
  readRun,
  requireAccessibleRunImage,
  resolveInputs,
  runPhase,
  targetOf,
  writeAnalyzed,
} from "@lifecycle/phase";
import type { Analyzed, Group } from "@lifecycle/spec-types";
import { restore } from "./restore.ts";

/** What restorer gets while it has privileges. */
interface RestorerAccess extends ImageAccess {
  /** What analyzed.toml says. */
  readonly analyzed: Analyzed;
}

const restorer: Phase<RestorerAccess> = {
  name: "restorer",

  flags(api) {
    const flags: FlagName[] = [
      "analyzed",
      "cache-dir",
      "cache-image",
      "gid",
      "group",
      "layers",
      "log-level",
      "no-color",
      "skip-layers",
      "uid",
    ];
    if (api.atLeast("0.10")) {
      flags.push("build-image");
    }
    if (api.atLeast("0.12")) {
      flags.push("daemon", "generated", "layout", "layout-dir");
    }
    if (api.atLeast("0.13")) {
      flags.push("insecure-registry");
    }
    if (api.atLeast("0.14")) {
      flags.push("run");
    }
    return flags;
  },

  async resolve(context, args) {
    if (args.length > 0) {
      throw failedTo("parse arguments", "received unexpected Args", ExitCode.invalidArgs);
    }
    await resolveInputs("restore", context);
  },

  async privileges(context) {
    const { inputs, logger } = context;
    const analyzed = readAnalyzed(inputs.analyzedPath, logger);
    const runImage = analyzed.runImage?.image ?? "";
    const access = await openImageAccess(context, runImage === "" ? [] : [runImage]);
    if (inputs.platformApi.atLeast("0.14")) {
      const { images } = readRun(inputs.runPath, logger);
      await requireAccessibleRunImage(runImage, images, accessChecker(context));
    }
    becomeUser(inputs, [inputs.layersDir, inputs.cacheDir, inputs.kanikoDir]);
    return { ...access, analyzed };
  },

  async execute(context, access) {
    const { inputs, logger } = context;
    const group = readGroup(inputs.groupPath);
    for (const { id, version, api = "" } of group.group) {
      context.verifyBuildpackApi("Buildpack", `${id}@${version}`, api);
    }
    const analyzed = await updateAnalyzed(context, access, group);
    await restore({
      ...inputs,
      logger,
      group: group.group,
      layersMetadata: analyzed.layersMetadata,
      cache: await openCache(inputs, access, logger, context.signal),
    });
  },
};

/** Adds to analyzed.toml the run image's target, where extensions may have switched to one that the analyzer did not see. */
async function updateAnalyzed(
  { inputs, logger }: PhaseContext,
  { images, analyzed: found }: RestorerAccess,
  group: Group,
): Promise<Analyzed> {
  let analyzed = found;
  const runImage = analyzed.runImage;
  const name = runImage?.image ?? "";
  const lacksTarget = runImage !== undefined && (runImage.target?.os ?? "") === "";
  if (inputs.platformApi.atLeast("0.10") && group.groupExtensions.length > 0 && lacksTarget) {
    logger.debug("Updating run image info in analyzed metadata...");
    const image = await images.open(name);
    if (image === undefined) {
      throw failedTo(`get run image ${name}`);
    }
    const target = inputs.platformApi.atLeast("0.12") ? targetOf(image) : undefined;
    analyzed = { ...analyzed, runImage: { ...runImage, reference: image.identifier, target } };
  }
  writeAnalyzed(inputs.analyzedPath, analyzed, logger);
  return analyzed;
}

/** Runs the restorer; returns its exit code. */
export function main(argv: readonly string[]): Promise<number> {
  return runPhase(restorer, argv, process.env);
}
