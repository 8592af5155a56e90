import type { Logger } from "./logger.ts";

/** Runs a step between two debug lines that say when it began, how long it took and when it ended. */
export async function timed<T>(name: string, logger: Logger, step: () => Promise<T>): Promise<T> {
  const start = Date.now();
  logger.debug(`Timer: ${name} started at ${isoSeconds(start)}`);
  try {
    return await step();
  } finally {
    const end = Date.now();
    logger.debug(`Timer: ${name} ran for ${end - start}ms and ended at ${isoSeconds(end)}`);
  }
}

/** RFC 3339 in UTC to the second. */
function isoSeconds(time: number): string {
  return `${new Date(time).toISOString().slice(0, 19)}Z`;
}
