import type { ImageStore } from "@lifecycle/image";
import {
  becomeUser,
  type FlagName,
  failedTo,
  type Phase,
  requireArguments,
  resolveInputs,
  runPhase,
  shieldCredentials,
} from "@lifecycle/phase";
import { PREPARE_FLAGS } from "./flags.ts";
import { prepare } from "./prepare.ts";
import { giveDirectories, openBuildpackages } from "./privileges.ts";

const preparer: Phase<ImageStore> = {
  name: "preparer",

  flags() {
    const flags: FlagName[] = [
      ...PREPARE_FLAGS,
      "app",
      "buildpacks",
      "cache-dir",
      "extensions",
      "gid",
      "insecure-registry",
      "layers",
      "log-level",
      "no-color",
      "order",
      "platform",
      "project-metadata",
      "run",
      "run-image",
      "stack",
      "uid",
    ];
    return flags;
  },

  async resolve(context, args) {
    requireArguments(args, 0);
    await resolveInputs("prepare", context);
  },

  async privileges(context) {
    const { inputs } = context;
    const images = await openBuildpackages(context).catch((error: unknown) => {
      throw failedTo("resolve keychain", error);
    });
    giveDirectories(context);
    becomeUser(inputs, [inputs.layersDir, inputs.cacheDir]);
    shieldCredentials();
    return images;
  },

  async execute(context, images) {
    await prepare({ ...context.inputs, ...context, images });
  },
};

/** Runs the preparer; returns its exit code. */
export function main(argv: readonly string[]): Promise<number> {
  return runPhase(preparer, argv, process.env);
}
