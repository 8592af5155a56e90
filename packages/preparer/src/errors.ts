import { ImageError } from "@lifecycle/image";
import { LayerError } from "@lifecycle/layers";
import { ExitCode, LifecycleError } from "@lifecycle/phase";
import { FormatError } from "@lifecycle/spec-types";
import { messageOf } from "@lifecycle/syscall";

type PrepareExitCode =
  | "prepareError"
  | "invalidDescriptor"
  | "buildpackNotFound"
  | "buildpackMismatch"
  | "archiveRefused"
  | "incompatibleTarget";

/** A failure of the preparer, with one of its own exit codes. */
export function failure(code: PrepareExitCode, message: string, cause?: unknown): LifecycleError {
  return new LifecycleError(message, ExitCode[code], { cause });
}

/**
 * What was thrown while a buildpack or the application was fetched and unpacked, with the exit code that says what kind
 * of failure it is.
 *
 * @param what names it, for the message
 */
export function explain(what: string, error: unknown): LifecycleError {
  if (error instanceof LifecycleError) {
    return new LifecycleError(`${what}: ${error.message}`, error.exitCode, { cause: error });
  }
  return failure(codeOf(error), `${what}: ${messageOf(error)}`, error);
}

function codeOf(error: unknown): PrepareExitCode {
  if (error instanceof LayerError) return error.code === "unwritable" ? "prepareError" : "archiveRefused";
  if (error instanceof ImageError) return error.code === "corrupt" ? "buildpackMismatch" : "buildpackNotFound";
  return error instanceof FormatError ? "buildpackMismatch" : "prepareError";
}
