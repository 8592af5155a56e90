import {
  becomeUser,
  type FlagName,
  type ImageAccess,
  openCache,
  openImageAccess,
  type Phase,
  readAnalyzed,
  readGroup,
  resolveInputs,
  runPhase,
  takeImageArguments,
} from "@lifecycle/phase";
import { runExport } from "./run-export.ts";

const exporter: Phase<ImageAccess> = {
  name: "exporter",

  flags(api) {
    const flags: FlagName[] = [
      "analyzed",
      "app",
      "cache-dir",
      "cache-image",
      "daemon",
      "gid",
      "group",
      "image",
      "launch-cache",
      "launcher",
      "layers",
      "log-level",
      "no-color",
      "parallel",
      "process-type",
      "project-metadata",
      "report",
      "run-image",
      "uid",
    ];
    if (api.lessThan("0.12")) {
      flags.push("stack");
    }
    if (api.atLeast("0.11")) {
      flags.push("launcher-sbom");
    }
    if (api.atLeast("0.12")) {
      flags.push("extended", "layout", "layout-dir", "run");
    }
    if (api.atLeast("0.13")) {
      flags.push("insecure-registry");
    }
    return flags;
  },

  async resolve(context, args) {
    takeImageArguments(context.inputs, args);
    await resolveInputs("export", context);
    if (context.inputs.useLayout) {
      context.guardExperimental("export to OCI layout format");
    }
  },

  async privileges(context) {
    const { inputs, logger } = context;
    const previousImage = readAnalyzed(inputs.analyzedPath, logger).previousImage?.reference ?? "";
    const access = await openImageAccess(context, previousImage === "" ? [] : [previousImage]);
    becomeUser(inputs, [inputs.cacheDir, inputs.launchCacheDir]);
    return access;
  },

  async execute(context, access) {
    const { group } = readGroup(context.inputs.groupPath);
    context.verifyApisOf("Buildpack", group);
    const analyzed = readAnalyzed(context.inputs.analyzedPath, context.logger);
    return runExport(
      context,
      access,
      group,
      analyzed,
      await openCache(context.inputs, access, context.logger, context.signal),
    );
  },
};

/** Runs the exporter; returns its exit code. */
export function main(argv: readonly string[]): Promise<number> {
  return runPhase(exporter, argv, process.env);
}
