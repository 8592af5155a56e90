import {
  ExitCode,
  type FlagName,
  failedTo,
  isPrivileged,
  type Phase,
  requireArguments,
  resolveInputs,
  runPhase,
  shieldCredentials,
} from "@lifecycle/phase";
import { detect } from "./detect.ts";

const detector: Phase<void> = {
  name: "detector",

  flags(api) {
    const flags: FlagName[] = [
      "app",
      "buildpacks",
      "group",
      "layers",
      "log-level",
      "no-color",
      "order",
      "plan",
      "platform",
    ];
    if (api.atLeast("0.10")) {
      flags.push("analyzed", "extensions", "generated");
    }
    if (api.atLeast("0.11")) {
      flags.push("build-config");
    }
    if (api.atLeast("0.12")) {
      flags.push("run");
    }
    if (api.atLeast("0.15")) {
      flags.push("system");
    }
    return flags;
  },

  async resolve(context, args) {
    requireArguments(args, 0);
    await resolveInputs("detect", context);
  },

  privileges() {
    if (isPrivileged()) {
      throw failedTo("detect", "refusing to run as root", ExitCode.failed);
    }
    // some platforms give the same environment to all phases
    return shieldCredentials();
  },

  async execute(context) {
    await detect({ ...context.inputs, ...context });
  },
};

/** Runs the detector; returns its exit code. */
export function main(argv: readonly string[]): Promise<number> {
  return runPhase(detector, argv, process.env);
}
