import type { History, ImageConfig } from "@lifecycle/image";
import type { ApplyOptions } from "./apply-options.ts";
import { BuildState } from "./build-state.ts";
import { dispatch } from "./dispatch.ts";
import { atInstruction, DockerfileError } from "./error.ts";
import type { Dockerfile, Instruction, Stage } from "./instruction.ts";
import type { LayerFile } from "./layer-file.ts";
import { triggeredInstructions } from "./onbuild.ts";

/** What a Dockerfile made of its base. */
export interface Applied {
  /** Those that were added, lowest first. */
  readonly layers: readonly LayerFile[];
  /** The base's, changed, with the new layers and their history. */
  readonly config: ImageConfig;
}

/**
 * Applies a Dockerfile of one stage to a root. FROM is taken for granted: the root is of the image that it names.
 * @throws DockerfileError with file, line and instruction; `aborted`, whose cause is the signal's reason
 */
export async function applyDockerfile(dockerfile: Dockerfile, options: ApplyOptions): Promise<Applied> {
  const stage = onlyStage(dockerfile);
  const state = new BuildState(dockerfile.escapeToken, options);
  state.args.declareGlobals(dockerfile);
  const triggered = triggeredInstructions(options.config.config, stage.from.place);
  const instructions = [...triggered, ...stage.instructions];
  const history: History[] = [];
  for (const [index, instruction] of instructions.entries()) {
    options.log?.(`Step ${index + 1}/${instructions.length} : ${instruction.source}`);
    const before = state.steps.layers.length;
    await carryOut(instruction, state);
    const madeLayer = state.steps.layers.length > before;
    history.push({ created_by: instruction.source, ...(madeLayer ? {} : { empty_layer: true }) });
  }
  return { layers: state.steps.layers, config: imageConfig(state, history) };
}

function onlyStage({ stages, file }: Dockerfile): Stage {
  const [stage, second] = stages;
  if (stage === undefined) throw new DockerfileError("syntax", { file, line: 1 }, "there is no FROM");
  if (second !== undefined) {
    throw new DockerfileError("refused", second.from.place, "a second stage is not supported");
  }
  return stage;
}

/** @throws DockerfileError that says where */
async function carryOut(instruction: Instruction, state: BuildState): Promise<void> {
  const { signal } = state.options;
  try {
    signal.throwIfAborted();
    await dispatch(instruction, state);
  } catch (error) {
    if (signal.aborted) {
      const cause = signal.reason;
      throw new DockerfileError("aborted", instruction.place, `${instruction.kind} was stopped`, { cause });
    }
    throw atInstruction(instruction.place, instruction.source, error);
  }
}

/** The base's config with what the instructions changed, their layers and their history. */
function imageConfig({ author, config, options, steps }: BuildState, history: readonly History[]): ImageConfig {
  const base = options.config;
  const diffIds = steps.layers.map(({ diffId }) => diffId);
  return {
    ...base,
    ...(author === undefined ? {} : { author }),
    config,
    history: [...(base.history ?? []), ...history],
    rootfs: { ...base.rootfs, diff_ids: [...base.rootfs.diff_ids, ...diffIds] },
  };
}
