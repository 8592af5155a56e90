/** Ends the launcher with an exit code of its own: platform spec, "launcher", "Outputs". */
export class LaunchError extends Error {
  static readonly INCOMPATIBLE_PLATFORM_API = 11;
  static readonly INCOMPATIBLE_BUILDPACK_API = 12;
  static readonly GENERIC = 82;

  readonly exitCode: number;

  constructor(message: string, exitCode: number = LaunchError.GENERIC) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** The message of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Runs an action; what it throws is prefixed with what was being done. */
export function step<T>(what: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    throw new Error(`${what}: ${messageOf(error)}`);
  }
}
