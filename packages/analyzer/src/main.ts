import {
  becomeUser,
  type FlagName,
  type ImageAccess,
  openImageAccess,
  type Phase,
  requireArguments,
  resolveInputs,
  runPhase,
  writeAnalyzed,
} from "@lifecycle/phase";
import { analyze } from "./analyze.ts";

const analyzer: Phase<ImageAccess> = {
  name: "analyzer",

  flags(api) {
    const flags: FlagName[] = [
      "analyzed",
      "cache-image",
      "daemon",
      "gid",
      "layers",
      "log-level",
      "no-color",
      "previous-image",
      "run-image",
      "tag",
      "uid",
    ];
    if (api.lessThan("0.12")) {
      flags.push("stack");
    }
    if (api.atLeast("0.9")) {
      flags.push("launch-cache", "skip-layers");
    }
    if (api.atLeast("0.12")) {
      flags.push("layout", "layout-dir", "run");
    }
    if (api.atLeast("0.13")) {
      flags.push("insecure-registry");
    }
    return flags;
  },

  async resolve(context, args) {
    requireArguments(args, 1);
    context.inputs.outputImage = args[0] ?? "";
    await resolveInputs("analyze", context);
    if (context.inputs.useLayout) {
      context.guardExperimental("export to OCI layout format");
    }
  },

  async privileges(context) {
    const access = await openImageAccess(context);
    const { layersDir, cacheDir, launchCacheDir } = context.inputs;
    becomeUser(context.inputs, [layersDir, cacheDir, launchCacheDir]);
    return access;
  },

  async execute({ inputs, logger }, access) {
    const analyzed = await analyze({ ...inputs, ...access, logger });
    writeAnalyzed(inputs.analyzedPath, analyzed, logger);
  },
};

/** Runs the analyzer; returns its exit code. */
export function main(argv: readonly string[]): Promise<number> {
  return runPhase(analyzer, argv, process.env);
}
