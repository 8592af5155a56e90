import type { BuildState } from "./build-state.ts";
import {
  withExposedPorts,
  withHealthcheck,
  withPairs,
  withStart,
  withStopSignal,
  withUser,
  withVolumes,
} from "./config-effects.ts";
import { dispatchCopy } from "./copy.ts";
import { InstructionError } from "./error.ts";
import type { ArgInstruction, Instruction } from "./instruction.ts";
import { withTrigger } from "./onbuild.ts";
import { dispatchRun } from "./run.ts";
import { dispatchWorkdir } from "./workdir.ts";

/**
 * Carries out an instruction of a stage: changes the root, the config or what variables there are.
 * @throws InstructionError, and whatever else goes wrong on the way
 */
export async function dispatch(instruction: Instruction, state: BuildState): Promise<void> {
  const { config } = state;
  const expand = state.expansion();
  switch (instruction.kind) {
    case "FROM":
      throw new InstructionError("refused", "a second stage is not supported");
    case "ARG":
      dispatchArg(instruction, state);
      return;
    case "ENV":
    case "LABEL":
      state.config = withPairs(config, instruction, expand);
      return;
    case "RUN":
      await dispatchRun(instruction, state);
      return;
    case "COPY":
    case "ADD":
      await dispatchCopy(instruction, state);
      return;
    case "WORKDIR":
      await dispatchWorkdir(instruction, state);
      return;
    case "USER":
      state.config = withUser(config, instruction, expand);
      return;
    case "STOPSIGNAL":
      state.config = withStopSignal(config, instruction, expand);
      return;
    case "MAINTAINER":
      state.author = instruction.value;
      return;
    case "EXPOSE":
      state.config = withExposedPorts(config, instruction, expand);
      return;
    case "VOLUME":
      state.config = withVolumes(config, instruction, expand);
      return;
    case "SHELL":
      state.config = { ...config, Shell: instruction.shell };
      return;
    case "CMD":
    case "ENTRYPOINT":
      state.config = withStart(config, instruction, { cmdSet: state.cmdSet });
      state.cmdSet ||= instruction.kind === "CMD";
      return;
    case "HEALTHCHECK":
      state.config = withHealthcheck(config, instruction);
      return;
    case "ONBUILD":
      state.config = withTrigger(config, instruction.trigger);
      return;
  }
}

function dispatchArg({ args }: ArgInstruction, state: BuildState): void {
  for (const { name, value } of args) {
    // Each can use those before it, in the same instruction too.
    const expand = state.expansion();
    state.args.declare(expand.word(name), value === undefined ? undefined : expand.word(value));
  }
}
