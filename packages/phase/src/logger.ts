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

/** What a line is about, for who reads JSON. Text lines say it in words. */
export interface LogFields {
  readonly buildpack?: string;
  readonly extension?: string;
  readonly image?: string;
  readonly direction?: "upload" | "download";
  readonly bytes?: number;
  readonly totalBytes?: number;
}

/** Where the phases say what they do. Everything goes to standard output, as in the reference. */
export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** The heading of a phase inside creator: `===> DETECTING`. */
  phase(name: string): void;
  /** The same log, for what a failure has to show: prints entries of every level, whatever was asked for. */
  unfiltered(): Pick<Logger, "debug" | "info" | "warn" | "error">;
  /** Whether lines of that level are printed. */
  enabled(level: "debug" | "info" | "warn" | "error"): boolean;
  /** Whether each line is a JSON object; then nothing else may be written to standard output. */
  readonly isJson: boolean;
}

/** How log lines look and which are printed. */
export interface LogOptions {
  /** As given to `-log-level`. */
  readonly level: string;
  /** ANSI colours for `Warning:`, `ERROR:` and headings; independent of a terminal, as platforms show them later. */
  readonly color: boolean;
  /** `json`: one object per line, in pino's form; else text. */
  readonly format?: string;
  /** What JSON lines call the phase, until a heading names another. */
  readonly phase?: string;
}

/** A logger that can be told its form once the flags are read, and shows lines about what is going on below the log. */
export class ConsoleLogger implements Logger {
  readonly #write: (text: string) => void;
  #pino: pino.Logger;
  #options: LogOptions;
  #status: readonly string[] = [];

  /**
   * @param write takes the finished text of one entry, line feed included; standard output by default, written
   *   synchronously so that our lines and a buildpack's come in the order in which they happened
   */
  constructor(options: LogOptions, write: (text: string) => void = standardOutput()) {
    this.#write = write;
    this.#options = options;
    this.#pino = this.#start(options);
  }

  /** @throws Error when level or format is none that there is */
  configure(options: LogOptions): void {
    this.#pino = this.#start(options);
    this.#options = options;
  }

  debug(message: string, fields: LogFields = {}): void {
    this.#pino.debug(fields, message);
  }

  info(message: string, fields: LogFields = {}): void {
    this.#pino.info(fields, message);
  }

  warn(message: string, fields: LogFields = {}): void {
    this.#pino.warn(fields, message);
  }

  error(message: string, fields: LogFields = {}): void {
    this.#pino.error(fields, message);
  }

  phase(name: string): void {
    this.#options = { ...this.#options, phase: name.toLowerCase() };
    this.#pino.info(this.isJson ? name : this.#paint(cyan, `===> ${name}`));
  }

  enabled(level: "debug" | "info" | "warn" | "error"): boolean {
    return this.#pino.isLevelEnabled(level);
  }

  unfiltered(): Pick<Logger, "debug" | "info" | "warn" | "error"> {
    const all = this.#pino.child({}, { level: "debug" });
    return {
      debug: (message) => all.debug(message),
      info: (message) => all.info(message),
      warn: (message) => all.warn(message),
      error: (message) => all.error(message),
    };
  }

  get isJson(): boolean {
    return this.#options.format === "json";
  }

  /**
   * Shows lines below the last entry, on a terminal, in place of those shown before; entries go above them.
   *
   * @param lines shorter than the terminal is wide
   */
  showStatus(lines: readonly string[]): void {
    this.#write(`${this.#eraseStatus()}${lines.map((line) => `${line}\n`).join("")}`);
    this.#status = lines;
  }

  #eraseStatus(): string {
    return this.#status.length === 0 ? "" : `\u001b[${this.#status.length}A\u001b[J`;
  }

  #start(options: LogOptions): pino.Logger {
    const level = pinoLevel(options.level);
    const format = options.format ?? "";
    if (format === "json") {
      return pino(
        {
          base: null,
          level,
          timestamp: pino.stdTimeFunctions.isoTime,
          formatters: { level: (label) => ({ level: label }) },
          mixin: () => ({ phase: this.#options.phase }),
        },
        { write: this.#write },
      );
    }
    if (format !== "" && format !== "text") {
      throw new Error(`failed to parse log format: '${format}' is neither text nor json`);
    }
    const write = (line: string): void => {
      const status = this.#status.map((each) => `${each}\n`).join("");
      this.#write(`${this.#eraseStatus()}${this.#format(line)}${status}`);
    };
    return pino({ base: null, timestamp: false, level }, { write });
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
    return this.#options.color ? `${color}${text}${reset}` : text;
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
