import { ConsoleLogger, ExitCode, failedTo, lifecycleVersion } from "@lifecycle/phase";
import { type Invocation, subcommandNames } from "./dispatch.ts";

/**
 * Answers a command line that names no phase.
 *
 * @returns the exit code
 */
export function answerWithoutPhase(invocation: Exclude<Invocation, { kind: "run" }>): number {
  const logger = new ConsoleLogger({ level: "info", color: true });
  switch (invocation.kind) {
    case "version":
      logger.info(lifecycleVersion());
      return 0;
    case "no arguments":
      logger.error(failedTo("parse arguments", `say which phase is to run: ${subcommandNames()}`).message);
      return ExitCode.invalidArgs;
    case "unknown phase": {
      const action = `recognize phase: ${invocation.phase} \nValid phases: ${subcommandNames()}`;
      logger.error(failedTo(action).message);
      return ExitCode.invalidArgs;
    }
  }
}
