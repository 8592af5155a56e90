import type { ExtendArg } from "@lifecycle/spec-types";
import { atInstruction, DockerfileError } from "./error.ts";
import { expandWord } from "./expand.ts";
import type { Dockerfile, Stage } from "./instruction.ts";
import { BuildArgs } from "./variables.ts";

/** Which base image a Dockerfile of an image extension is for. */
export type DockerfileKind = "run" | "build";

/** Instructions that extensions' Dockerfiles may contain (image_extension.md, "Dockerfile Requirements"). */
const recommended = new Set(["FROM", "ADD", "ARG", "COPY", "ENV", "LABEL", "RUN", "SHELL", "USER", "WORKDIR"]);

/** What a valid Dockerfile of an extension asks for. */
export interface ValidDockerfile {
  /** The image that a run.Dockerfile switches to: its FROM, variables replaced, unless that is `${base_image}`. */
  readonly withBase: string | undefined;
  /** Whether it changes its base, as a run.Dockerfile need not. */
  readonly extend: boolean;
  /** One line for each instruction that is allowed but not recommended. */
  readonly warnings: readonly string[];
}

/**
 * Holds a Dockerfile to the requirements of the image extension spec.
 * @param args those of its extend-config.toml, which a run.Dockerfile's FROM can use
 * @throws DockerfileError `refused` if it has no or several stages, and for a build.Dockerfile that does not begin with
 *   `ARG base_image` and `FROM ${base_image}`
 */
export function validateDockerfile(
  dockerfile: Dockerfile,
  kind: DockerfileKind,
  args: readonly ExtendArg[] = [],
): ValidDockerfile {
  const name = `${kind}.Dockerfile`;
  const refused = (line: number, message: string) =>
    new DockerfileError("refused", { file: dockerfile.file, line }, message);
  const [stage, second] = dockerfile.stages;
  if (second !== undefined) {
    throw refused(second.from.place.line, `${name} is not permitted to use multistage build`);
  }
  const warnings = (stage?.instructions ?? [])
    .filter((instruction) => !recommended.has(instruction.kind))
    .map(({ kind: found, place }) => `${name} command ${found} on line ${place.line} is not recommended`);
  if (kind === "build") {
    const [first, ...more] = dockerfile.globalArgs;
    if (first === undefined || more.length > 0 || first.args[0]?.name !== "base_image") {
      throw refused(first?.place.line ?? 1, `${name} did not start with required ARG command`);
    }
  }
  if (stage === undefined) throw refused(1, `${name} should have at least one stage`);
  if (kind === "build" && stage.from.image !== baseImageReference) {
    throw refused(stage.from.place.line, `${name} did not contain required FROM ${baseImageReference} command`);
  }
  const image = imageOf(stage, dockerfile, args);
  if (image === "") throw refused(stage.from.place.line, `base name (${stage.from.image}) should not be blank`);
  return {
    withBase: image === baseImageReference ? undefined : image,
    extend: stage.instructions.length > 0,
    warnings,
  };
}

const baseImageReference = `\${base_image}`;

/** What FROM comes to; `${base_image}` stands for itself. @throws DockerfileError that says where */
function imageOf({ from }: Stage, dockerfile: Dockerfile, given: readonly ExtendArg[]): string {
  if (from.image === baseImageReference) return from.image;
  const args = new BuildArgs({
    ...Object.fromEntries(given.map(({ name, value }) => [name, value])),
    base_image: baseImageReference,
  });
  args.declareGlobals(dockerfile);
  try {
    return expandWord(from.image, args.globalLookup, dockerfile.escapeToken);
  } catch (error) {
    throw atInstruction(from.place, from.source, error);
  }
}
