import type { Transfer, TransferObserver, TransferProgress } from "@lifecycle/image";
import type { ConsoleLogger, LogFields } from "./logger.ts";

/** A transfer is worth showing once it takes longer than this, in milliseconds. */
const patience = 2_000;

/** Between two pictures of the bars on a terminal, and between two lines elsewhere, in milliseconds. */
const intervals = { terminal: 200, lines: 5_000 };

/** What a terminal has to offer; undefined when the output is none. */
export interface Terminal {
  readonly columns: number;
}

interface Running {
  readonly transfer: Transfer;
  readonly since: number;
  bytes: number;
}

/**
 * Shows transfers that take more than a few seconds: as bars on a terminal, as a line every few seconds elsewhere.
 * Quick ones are not mentioned.
 */
export class TransferDisplay implements TransferObserver {
  readonly #logger: ConsoleLogger;
  readonly #terminal: Terminal | undefined;
  readonly #now: () => number;
  readonly #running = new Set<Running>();
  #timer: NodeJS.Timeout | undefined;

  /** @param now milliseconds since some moment */
  constructor(logger: ConsoleLogger, terminal: Terminal | undefined, now: () => number = () => performance.now()) {
    this.#logger = logger;
    this.#terminal = logger.isJson ? undefined : terminal;
    this.#now = now;
  }

  begin(transfer: Transfer): TransferProgress {
    const running: Running = { transfer, since: this.#now(), bytes: 0 };
    this.#running.add(running);
    if (this.#timer === undefined && this.#logger.enabled("info")) {
      const interval = this.#terminal === undefined ? intervals.lines : intervals.terminal;
      this.#timer = setInterval(() => this.show(), interval).unref();
    }
    return {
      moved: (bytes) => {
        running.bytes = bytes;
      },
      end: () => this.#end(running),
    };
  }

  #end(running: Running): void {
    this.#running.delete(running);
    if (this.#running.size > 0) {
      return;
    }
    clearInterval(this.#timer);
    this.#timer = undefined;
    if (this.#terminal !== undefined) {
      this.#logger.showStatus([]);
    }
  }

  /** Shows how far things are now. */
  show(): void {
    const slow = [...this.#running].filter(({ since }) => this.#now() - since >= patience);
    if (this.#terminal === undefined) {
      for (const running of slow) {
        const { transfer, bytes } = running;
        const fields: LogFields = {
          image: transfer.place,
          direction: transfer.direction,
          bytes,
          ...(transfer.size === undefined ? {} : { totalBytes: transfer.size }),
        };
        this.#logger.info(`${label(transfer)}: ${this.#figures(running)}`, fields);
      }
    } else {
      // A terminal that nobody has given a size has none.
      const width = (this.#terminal.columns || 80) - 1;
      this.#logger.showStatus(slow.map((running) => this.#bar(running).slice(0, width)));
    }
  }

  /** `12.3 MB of 45.6 MB, 7.8 MB/s, 5 s left` */
  #figures({ transfer: { size, atMost }, since, bytes }: Running): string {
    const seconds = Math.max((this.#now() - since) / 1000, 0.001);
    const rate = bytes / seconds;
    const total = size ?? atMost;
    if (total === undefined || total < bytes) {
      return `${inMegabytes(bytes)}, ${inMegabytes(rate)}/s`;
    }
    const bound = size === undefined ? "at most " : "";
    const left = rate > 0 ? `, ${bound}${inWords((total - bytes) / rate)} left` : "";
    return `${inMegabytes(bytes)} of ${bound}${inMegabytes(total)}, ${inMegabytes(rate)}/s${left}`;
  }

  #bar(running: Running): string {
    const { transfer, bytes } = running;
    const width = 20;
    const total = transfer.size ?? transfer.atMost;
    const share = total === undefined ? 0 : Math.min(bytes / Math.max(total, 1), 1);
    const filled = Math.round(share * width);
    const bar = total === undefined ? "" : `[${"=".repeat(filled)}${" ".repeat(width - filled)}] `;
    return `${(transfer.blob ?? transfer.place).slice(0, 19)} ${bar}${this.#figures(running)}`;
  }
}

function label({ direction, blob, place }: Transfer): string {
  if (blob === undefined) {
    return direction === "upload" ? `Uploading ${place}` : `Downloading ${place}`;
  }
  return direction === "upload" ? `Uploading ${blob} to ${place}` : `Downloading ${blob} from ${place}`;
}

function inMegabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

function inWords(seconds: number): string {
  const whole = Math.ceil(seconds);
  return whole < 100 ? `${whole} s` : `${Math.ceil(whole / 60)} min`;
}
