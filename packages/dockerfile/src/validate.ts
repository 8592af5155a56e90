import { DockerfileError } from "./error.ts";
import type { Dockerfile } from "./instruction.ts";

/** Which base image a Dockerfile of an image extension is for. */
export type DockerfileKind = "run" | "build";

/** Instructions that extensions' Dockerfiles may contain (image_extension.md, "Dockerfile Requirements"). */
const recommended = new Set(["FROM", "ADD", "ARG", "COPY", "ENV", "LABEL", "RUN", "SHELL", "USER", "WORKDIR"]);

/** What a valid Dockerfile of an extension asks for. */
export interface ValidDockerfile {
  /** The image that a run.Dockerfile switches to: its FROM, unless that is `${base_image}`. */
  readonly withBase: string | undefined;
  /** Whether it changes its base, as a run.Dockerfile need not. */
  readonly extend: boolean;
  /** One line for each instruction that is allowed but not recommended. */
  readonly warnings: readonly string[];
}

/**
 * Holds a Dockerfile to the requirements of the image extension spec.
 * @throws DockerfileError `refused` if it has no or several stages, and for a build.Dockerfile that does not begin with
 *   `ARG base_image` and `FROM ${base_image}`
 */
export function validateDockerfile(dockerfile: Dockerfile, kind: DockerfileKind): ValidDockerfile {
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
  const switches = stage.from.image !== baseImageReference;
  if (kind === "build" && switches) {
    throw refused(stage.from.place.line, `${name} did not contain required FROM ${baseImageReference} command`);
  }
  return {
    withBase: switches ? stage.from.image : undefined,
    extend: stage.instructions.length > 0,
    warnings,
  };
}

const baseImageReference = `\${base_image}`;
