import { messageOf } from "@lifecycle/syscall";
/**
 * A failure with the exit code that the process shall end with.
 *
 * The message is one line: what failed, on which input, and what to do about it. It is printed after `ERROR: `; a
 * stack trace only shows at log level debug.
 */
export class LifecycleError extends Error {
  override readonly name = "LifecycleError";
  /** Exit code of the process (platform.md, the exit code table of each phase). */
  readonly exitCode: number;

  constructor(message: string, exitCode: number, options?: ErrorOptions) {
    super(message, options);
    this.exitCode = exitCode;
  }
}

/**
 * Wraps what was thrown as "failed to <action>: <cause>".
 *
 * @param exitCode the code to end with; by default the cause's own, else 1
 */
export function failedTo(action: string, cause?: unknown, exitCode?: number): LifecycleError {
  const message = cause === undefined ? `failed to ${action}` : `failed to ${action}: ${messageOf(cause)}`;
  return new LifecycleError(message, exitCode ?? exitCodeOf(cause), { cause });
}

/** Puts what was being done in front of a cause: "<doing>: <cause>". The exit code stays the cause's. */
export function inContext(doing: string, cause: unknown): LifecycleError {
  return new LifecycleError(`${doing}: ${messageOf(cause)}`, exitCodeOf(cause), { cause });
}

/** Does some work; what it throws comes as "<doing>: <cause>". */
export async function whilst<T>(doing: string, work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw inContext(doing, error);
  }
}

function exitCodeOf(error: unknown): number {
  return error instanceof LifecycleError ? error.exitCode : 1;
}
