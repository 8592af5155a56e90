import type { Host } from "./host.ts";

const RED = "\x1b[31;1m";
const YELLOW = "\x1b[33;1m";
const RESET = "\x1b[0m";

/** Writes the launcher's lines as the reference does: to standard output, with colored levels. */
export class Log {
  readonly #host: Host;
  readonly #color: boolean;

  constructor(host: Host, color: boolean) {
    this.#host = host;
    this.#color = color;
  }

  error(message: string): void {
    this.#write("ERROR: ", RED, message);
  }

  warn(message: string): void {
    this.#write("Warning: ", YELLOW, message);
  }

  #write(level: string, color: string, message: string): void {
    this.#host.write(`${this.#color ? color + level + RESET : level}${message}\n`);
  }
}
