import {
  type FlagName,
  type Phase,
  readAnalyzed,
  readGroup,
  readPlan,
  requireArguments,
  resolveInputs,
  runPhase,
  withoutPrivileges,
} from "@lifecycle/phase";
import { build } from "./build.ts";

const builder: Phase<void> = {
  name: "builder",

  flags(api) {
    const flags: FlagName[] = ["app", "buildpacks", "group", "layers", "log-level", "no-color", "plan", "platform"];
    if (api.atLeast("0.11")) {
      flags.push("build-config");
    }
    if (api.atLeast("0.12")) {
      flags.push("analyzed");
    }
    return flags;
  },

  async resolve(context, args) {
    requireArguments(args, 0);
    await resolveInputs("build", context);
  },

  privileges: () => withoutPrivileges("build"),

  async execute(context) {
    const { inputs, logger } = context;
    const group = readGroup(inputs.groupPath);
    const plan = readPlan(inputs.planPath);
    context.verifyApisOf("Buildpack", group.group);
    const analyzed = readAnalyzed(inputs.analyzedPath, logger);
    await build({ ...inputs, ...context, group, plan, runImageTarget: analyzed.runImage?.target });
  },
};

/** Runs the builder; returns its exit code. */
export function main(argv: readonly string[]): Promise<number> {
  return runPhase(builder, argv, process.env);
}
