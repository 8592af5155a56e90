import { pino } from "pino";

/** Levels that `-log-level` takes, and what pino calls them. */
const levels: Record<string, string> = {
  debug: "debug",
  info: "info",
  warn: "warn",
  warning: "warn",
  error: "error",
  fatal: "fatal",
};

const bold = { yellow: "\u001b[33;1m", red: "\u001b[31;1m" };
const cyan = "\u001b[36m";
const reset = "\u001b[0m";
const pinoWarn = 40;
const pinoError = 50;

/** Where the phases say what they do. Everything goes to standard output, as in the reference. */
export interface Logger {
  debug(message: string): void;
  info(message: string): void;
  warn(message: string): void;
  error(message: string): void;
  /** The heading of a phase inside creator: `===> DETECTING`. */
  phase(name: string): void;
  /** Whether lines of that level are printed. */
  enabled(level: "debug" | "info" | "warn" | "error"): boolean;
}

/** How log lines look and which are printed. */
export interface LogOptions {
  /** As given to `-log-level`. */
  readonly level: string;
  /** ANSI colours for `Warning:`, `ERROR:` and headings; independent of a terminal, as platforms show them later. */
  readonly color: boolean;
}

/** A logger that can be told its level and colours once the flags are read. */
export class ConsoleLogger implements Logger {
  readonly #pino: pino.Logger;
  #color: boolean;

  /**
   * @param write takes the finished text of one entry, line feed included; standard output by default, written
   *   synchronously so that our lines and a buildpack's come in the order in which they happened
   */
  constructor(options: LogOptions, write: (text: string) => void = standardOutput()) {
    this.#color = options.color;
    this.#pino = pino(
      { base: null, timestamp: false, level: pinoLevel(options.level) },
      { write: (line) => write(this.#format(line)) },
    );
  }

  /** @throws Error when the level is none that `-log-level` takes */
  configure(options: LogOptions): void {
    this.#color = options.color;
    this.#pino.level = pinoLevel(options.level);
  }

  debug(message: string): void {
    this.#pino.debug(message);
  }

  info(message: string): void {
    this.#pino.info(message);
  }

  warn(message: string): void {
    this.#pino.warn(message);
  }

  error(message: string): void {
    this.#pino.error(message);
  }

  phase(name: string): void {
    this.#pino.info(this.#paint(cyan, `===> ${name}`));
  }

  enabled(level: "debug" | "info" | "warn" | "error"): boolean {
    return this.#pino.isLevelEnabled(level);
  }

  #format(line: string): string {
    const entry = JSON.parse(line) as { level: number; msg: string };
    const text = entry.msg.endsWith("\n") ? entry.msg : `${entry.msg}\n`;
    if (entry.level >= pinoError) {
      return this.#paint(bold.red, "ERROR: ") + text;
    }
    return entry.level >= pinoWarn ? this.#paint(bold.yellow, "Warning: ") + text : text;
  }

  #paint(color: string, text: string): string {
    return this.#color ? `${color}${text}${reset}` : text;
  }
}

function pinoLevel(requested: string): string {
  const level = levels[requested.toLowerCase()];
  if (level === undefined) {
    throw new Error("failed to parse log level: invalid level");
  }
  return level;
}

function standardOutput(): (text: string) => void {
  const destination = pino.destination({ fd: 1, sync: true });
  return (text) => destination.write(text);
}
