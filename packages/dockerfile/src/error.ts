import { messageOf } from "@lifecycle/syscall";
/**
 * What went wrong with a Dockerfile:
 * - `syntax`: the text is no Dockerfile
 * - `refused`: an instruction asks for what it must not have, such as a path out of the root
 * - `failed`: an instruction could not be carried out
 * - `aborted`: the build was told to stop
 */
export type DockerfileErrorCode = "syntax" | "refused" | "failed" | "aborted";

/** Where in a Dockerfile something stands. */
export interface Place {
  /** The Dockerfile, as the user knows it. */
  readonly file: string;
  /** The first line of the instruction, from 1. */
  readonly line: number;
}

/** An error about a Dockerfile. The message begins with file and line. */
export class DockerfileError extends Error {
  override readonly name = "DockerfileError";
  readonly code: DockerfileErrorCode;
  readonly place: Place;

  constructor(code: DockerfileErrorCode, place: Place, message: string, options?: ErrorOptions) {
    super(`${place.file}:${place.line}: ${message}`, options);
    this.code = code;
    this.place = place;
  }
}

/** A complaint about one instruction that does not know yet where it stands. */
export class InstructionError extends Error {
  override readonly name = "InstructionError";
  readonly code: DockerfileErrorCode;

  constructor(code: DockerfileErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** Says of any error in which instruction it came up. */
export function atInstruction(place: Place, instruction: string, error: unknown): DockerfileError {
  if (error instanceof DockerfileError) return error;
  const code = error instanceof InstructionError ? error.code : "failed";
  return new DockerfileError(code, place, `${shortened(instruction)}: ${messageOf(error)}`, { cause: error });
}

/** The longest part of an instruction that a message repeats, in characters. */
const instructionLimit = 200;

function shortened(instruction: string): string {
  const line = instruction.split("\n", 1)[0] ?? "";
  return line.length > instructionLimit || line !== instruction ? `${line.slice(0, instructionLimit)}…` : line;
}
