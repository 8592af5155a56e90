import type { Logger } from "./logger.ts";

type Level = "debug" | "info" | "warn" | "error";

/** Most entries that are kept; a group of buildpacks with many alternatives in their plans can cause any number. */
const entryLimit = 100_000;

/** Keeps log entries until it is known where they are to be shown: of a failed detection, the user has to see all. */
export class LogRecorder implements Logger {
  readonly #entries: { readonly level: Level; readonly message: string }[] = [];
  #dropped = 0;

  debug(message: string): void {
    this.#add("debug", message);
  }

  info(message: string): void {
    this.#add("info", message);
  }

  warn(message: string): void {
    this.#add("warn", message);
  }

  error(message: string): void {
    this.#add("error", message);
  }

  /** Logs what was recorded. */
  replay(logger: Logger): void {
    for (const { level, message } of this.#entries) logger[level](message);
    if (this.#dropped > 0) logger.info(`[... ${this.#dropped} more lines left out ...]`);
  }

  #add(level: Level, message: string): void {
    if (this.#entries.length < entryLimit) this.#entries.push({ level, message });
    else this.#dropped += 1;
  }
}
