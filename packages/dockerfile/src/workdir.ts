import { type BytePath, toBytePath } from "@lifecycle/layers";
import type { BuildState } from "./build-state.ts";
import { withWorkingDir } from "./config-effects.ts";
import type { ValueInstruction } from "./instruction.ts";
import { impliedDirectory, TreeWriter } from "./tree-writer.ts";

/** WORKDIR: sets the working directory, and makes it if it is missing. */
export async function dispatchWorkdir(instruction: ValueInstruction, state: BuildState): Promise<void> {
  state.config = withWorkingDir(state.config, instruction, state.expansion());
  await state.steps.take(["WORKDIR", state.workingDirectory], () => {
    return state.root.snapshot.changesOf(makeWorkingDirectory(state));
  });
}

/** Makes the working directory and what is missing above it. @returns the paths that were made */
export function makeWorkingDirectory({ root, workingDirectory }: BuildState): ReadonlySet<BytePath> {
  const writer = new TreeWriter(root.paths);
  writer.makeDirectories(root.paths.resolve(toBytePath(workingDirectory)), impliedDirectory);
  return writer.touched;
}
