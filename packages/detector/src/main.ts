import { detectorFlags, generate } from "@lifecycle/generator";
import { type Phase, requireArguments, resolveInputs, runPhase, withoutPrivileges } from "@lifecycle/phase";
import { detect } from "./detect.ts";

const detector: Phase<void> = {
  name: "detector",

  flags: detectorFlags,

  async resolve(context, args) {
    requireArguments(args, 0);
    await resolveInputs("detect", context);
  },

  privileges: () => withoutPrivileges("detect"),

  async execute(context) {
    const { group, plan } = await detect({ ...context.inputs, ...context });
    const extensions = group.groupExtensions;
    if (extensions.length > 0) {
      await generate({ ...context.inputs, ...context, extensions, plan });
    }
  },
};

/** Runs the detector; returns its exit code. */
export function main(argv: readonly string[]): Promise<number> {
  return runPhase(detector, argv, process.env);
}
