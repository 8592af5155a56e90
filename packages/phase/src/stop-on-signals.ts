import { constants } from "node:os";
import { LifecycleError } from "./errors.ts";

/** How long what is going on may take to clean up, in milliseconds. */
const patience = 8_000;

/**
 * Makes SIGTERM, SIGINT and SIGHUP end the process in order, also as the first process of a container, to which the
 * kernel gives none of their effects by itself. While a buildpack runs, `@lifecycle/buildpack` stops it and exits first.
 *
 * @returns aborted at the first signal, with the error to end with: exit code 128 and the signal's number
 */
export function stopOnSignals(): AbortSignal {
  const controller = new AbortController();
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) {
    process.once(signal, () => {
      const exitCode = 128 + constants.signals[signal];
      controller.abort(new LifecycleError(`stopped by ${signal}`, exitCode));
      setTimeout(() => process.exit(exitCode), patience).unref();
    });
  }
  return controller.signal;
}
