import {
  accessChecker,
  becomeUser,
  ExitCode,
  type FlagName,
  failedTo,
  type ImageAccess,
  openImageAccess,
  type Phase,
  resolveInputs,
  runPhase,
  takeImageArguments,
  writeReport,
} from "@lifecycle/phase";
import { findRunImage, rebase } from "./rebase.ts";

const rebaser: Phase<ImageAccess> = {
  name: "rebaser",

  flags(api) {
    const flags: FlagName[] = ["daemon", "gid", "image", "log-level", "no-color", "report", "run-image", "uid"];
    if (api.atLeast("0.11")) {
      flags.push("previous-image");
    }
    if (api.atLeast("0.12")) {
      flags.push("force");
    }
    if (api.atLeast("0.13")) {
      flags.push("insecure-registry");
    }
    return flags;
  },

  async resolve(context, args) {
    const { inputs } = context;
    takeImageArguments(inputs, args);
    // other phases' inputs, which platforms may set for all of them
    inputs.useLayout = false;
    inputs.launchCacheDir = "";
    await resolveInputs("rebase", context);
    inputs.previousImage ||= inputs.outputImage;
  },

  async privileges(context) {
    const { inputs } = context;
    if (inputs.runImage === "") {
      // only the app image says which run image it is that credentials are needed for
      const { images } = await openImageAccess(context);
      inputs.runImage = await findRunImage({ ...inputs, images }, accessChecker(context));
    }
    const access = await openImageAccess(context);
    becomeUser(inputs, []);
    return access;
  },

  async execute({ inputs, logger }, { images }) {
    const report = await rebase({ ...inputs, images, logger });
    try {
      writeReport(inputs.reportPath, report);
    } catch (error) {
      throw failedTo("write rebase report", error, ExitCode.rebaseError);
    }
  },
};

/** Runs the rebaser; returns its exit code. */
export function main(argv: readonly string[]): Promise<number> {
  return runPhase(rebaser, argv, process.env);
}
