import { LifecycleError } from "./errors.ts";
import { ExitCode } from "./exit-codes.ts";
import type { Logger } from "./logger.ts";

/**
 * Lets an experimental feature pass, or not, as CNB_EXPERIMENTAL_MODE says: silent (which the reference calls quiet),
 * warn or error (the default). Platform spec, "Experimental Features".
 *
 * @throws LifecycleError when experimental features are switched off
 */
export function guardExperimental(feature: string, mode: string, logger: Logger): void {
  if (mode === "silent" || mode === "quiet") {
    return;
  }
  if (mode === "error") {
    logger.error(`Platform requested experimental feature '${feature}'`);
    throw new LifecycleError("experimental features are disabled by CNB_EXPERIMENTAL_MODE=error", ExitCode.failed);
  }
  logger.warn(`Platform requested experimental feature '${feature}'`);
}
