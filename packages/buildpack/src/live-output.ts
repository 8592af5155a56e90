import { writeSync } from "node:fs";
import { systemCode } from "@lifecycle/syscall";
import { EscapeStripper } from "./escape-stripper.ts";

/** Takes the output of a program as it comes, standard output and error in the order in which they were written. */
export interface LiveOutput {
  /** @param chunk to be copied if it is kept */
  write(chunk: Buffer): void;
  /** The program has ended. */
  end(): void;
}

/** Milliseconds after which a write is tried again that would have had to wait. */
const retryDelay = 5;

/** Longest piece of a line that is handed on by itself, in bytes. */
const maxLineLength = 65_536;

/**
 * Passes output on to a file descriptor.
 *
 * @param stripEscapes whether ANSI escape sequences are removed on the way
 */
export function descriptorOutput(fd: number, stripEscapes: boolean): LiveOutput {
  const stripper = stripEscapes ? new EscapeStripper() : undefined;
  return { write: (chunk) => writeAll(fd, stripper?.strip(chunk) ?? chunk), end: () => {} };
}

/** Hands output on line by line, without line feeds and ANSI escape sequences. */
export function lineOutput(take: (line: string) => void): LiveOutput {
  const stripper = new EscapeStripper();
  let rest = Buffer.alloc(0);
  return {
    write: (chunk) => {
      rest = Buffer.concat([rest, stripper.strip(chunk)]);
      for (let end = rest.indexOf("\n"); end !== -1; end = rest.indexOf("\n")) {
        take(rest.toString("utf8", 0, end));
        rest = rest.subarray(end + 1);
      }
      if (rest.length < maxLineLength) return;
      take(rest.toString("utf8"));
      rest = Buffer.alloc(0);
    },
    end: () => {
      if (rest.length > 0) take(rest.toString("utf8"));
      rest = Buffer.alloc(0);
    },
  };
}

function writeAll(fd: number, data: Buffer): void {
  for (let written = 0; written < data.length; ) {
    try {
      written += writeSync(fd, data, written);
    } catch (error) {
      if (systemCode(error) !== "EAGAIN") throw error;
      // Whoever shares the descriptor made it non-blocking, and its reader is slow.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, retryDelay);
    }
  }
}
