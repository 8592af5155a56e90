import { existsSync } from "node:fs";
import { dockerfilePath, nameOf } from "@lifecycle/buildpack";
import {
  type FlagName,
  type Phase,
  type PhaseContext,
  readAnalyzed,
  readGroup,
  readPlan,
  requireArguments,
  resolveInputs,
  runPhase,
  withoutPrivileges,
} from "@lifecycle/phase";
import type { GroupElement } from "@lifecycle/spec-types";
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
    warnOfDockerfiles(context, group.groupExtensions);
    const analyzed = readAnalyzed(inputs.analyzedPath, logger);
    await build({ ...inputs, ...context, group, plan, runImageTarget: analyzed.runImage?.target });
  },
};

/** A platform that does not know image extensions runs the builder where the extender is needed. */
function warnOfDockerfiles({ inputs, logger }: PhaseContext, extensions: readonly GroupElement[]): void {
  const left = extensions.filter(({ id }) => existsSync(dockerfilePath(inputs, "build", id)));
  if (left.length === 0) return;
  logger.warn(`The build image is not extended by ${left.map(nameOf).join(", ")}: run extender in place of builder`);
}

/** Runs the builder; returns its exit code. */
export function main(argv: readonly string[]): Promise<number> {
  return runPhase(builder, argv, process.env);
}
