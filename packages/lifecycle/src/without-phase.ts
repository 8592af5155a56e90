import {
  ConsoleLogger,
  ExitCode,
  failedTo,
  LifecycleError,
  lifecycleVersion,
  verifyPlatformApi,
} from "@lifecycle/phase";
import { DEFAULTS, ENV } from "@lifecycle/spec-types";
import { type Invocation, subcommandNames } from "./dispatch.ts";

/**
 * Answers a command line that names no phase. As by the reference, the Platform API is looked at before the phase's name.
 *
 * @returns the exit code
 */
export function answerWithoutPhase(
  invocation: Exclude<Invocation, { kind: "run" | "exec in root" | "extend for creator" }>,
  env: Readonly<Record<string, string | undefined>>,
): number {
  const logger = new ConsoleLogger({ level: "info", color: true });
  try {
    switch (invocation.kind) {
      case "version":
        logger.info(lifecycleVersion());
        return 0;
      case "no arguments":
        throw failedTo("parse arguments", `say which phase is to run: ${subcommandNames()}`, ExitCode.invalidArgs);
      case "unknown phase": {
        verifyPlatformApi(env[ENV.platformApi] ?? "", env[ENV.deprecationMode] || DEFAULTS.deprecationMode, logger);
        const action = `recognize phase: ${invocation.phase} \nValid phases: ${subcommandNames()}`;
        throw failedTo(action, undefined, ExitCode.invalidArgs);
      }
    }
  } catch (error) {
    if (!(error instanceof LifecycleError)) throw error;
    logger.error(error.message);
    return error.exitCode;
  }
}
