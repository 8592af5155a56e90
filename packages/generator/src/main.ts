import {
  ExitCode,
  failedTo,
  type Phase,
  type PhaseContext,
  readGroup,
  readPlan,
  requireArguments,
  resolveInputs,
  runPhase,
  whilst,
  withoutPrivileges,
} from "@lifecycle/phase";
import type { Group, Plan } from "@lifecycle/spec-types";
import { detectorFlags } from "./detector-flags.ts";
import { generate } from "./generate.ts";

const generator: Phase<void> = {
  name: "generator",

  flags: detectorFlags,

  async resolve(context, args) {
    requireArguments(args, 0);
    await resolveInputs("generate", context);
  },

  privileges: () => withoutPrivileges("generate"),

  async execute(context) {
    const { inputs, logger } = context;
    const { group, plan } = await readDetected(context);
    const extensions = group.groupExtensions;
    if (extensions.length === 0) {
      logger.debug("No image extensions in the group");
      return;
    }
    if (inputs.platformApi.lessThan("0.13")) {
      context.guardExperimental("Dockerfiles");
    }
    await generate({ ...inputs, ...context, extensions, plan });
  },
};

/** What the detector left. */
async function readDetected({ inputs }: PhaseContext): Promise<{ group: Group; plan: Plan }> {
  try {
    const group = await whilst("reading group", () => readGroup(inputs.groupPath));
    return { group, plan: await whilst("reading plan", () => readPlan(inputs.planPath)) };
  } catch (error) {
    throw failedTo("initialize generator", error, ExitCode.failed);
  }
}

/** Runs the generator; returns its exit code. */
export function main(argv: readonly string[]): Promise<number> {
  return runPhase(generator, argv, process.env);
}
