import {
  accessChecker,
  becomeUser,
  ExitCode,
  type FlagName,
  failedTo,
  openCache,
  openImageAccess,
  type Phase,
  readAnalyzed,
  readGroup,
  readRun,
  requireAccessibleRunImage,
  resolveInputs,
  runPhase,
  writeAnalyzed,
} from "@lifecycle/phase";
import { openBaseImages, type RestorerAccess, updateAnalyzed } from "./images.ts";
import { restore } from "./restore.ts";

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
    const bases = await openBaseImages(context, access, analyzed);
    if (inputs.platformApi.atLeast("0.14")) {
      const { images } = readRun(inputs.runPath, logger);
      await requireAccessibleRunImage(runImage, images, accessChecker(context));
    }
    becomeUser(inputs, [inputs.layersDir, inputs.cacheDir, inputs.kanikoDir]);
    return { ...access, analyzed, bases };
  },

  async execute(context, access) {
    const { inputs, logger } = context;
    const group = readGroup(inputs.groupPath);
    context.verifyApisOf("Buildpack", group.group);
    const analyzed = await updateAnalyzed(context, access, group);
    writeAnalyzed(inputs.analyzedPath, analyzed, logger);
    await restore({
      ...inputs,
      logger,
      group: group.group,
      layersMetadata: analyzed.layersMetadata,
      cache: await openCache(inputs, access, logger, context.signal),
    });
  },
};

/** Runs the restorer; returns its exit code. */
export function main(argv: readonly string[]): Promise<number> {
  return runPhase(restorer, argv, process.env);
}
