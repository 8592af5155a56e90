import { execFileSync } from "node:child_process";
import { closeSync, constants, mkdtempSync, openSync, read, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Libc, libc } from "@lifecycle/syscall";

/** A pipe of the kernel: what is written to one file descriptor can be read from the other. */
export interface Pipe {
  readonly readFd: number;
  readonly writeFd: number;
}

/** Bytes read at once: what a pipe holds. */
const chunkSize = 65_536;

/**
 * Opens a pipe, neither end of which a child process inherits unasked.
 *
 * `child_process` gives its children sockets where it says "pipe", and a socket cannot be opened through /dev/stderr or
 * /dev/stdout, as shell scripts do.
 */
export function openPipe(): Pipe {
  const c = libc();
  return c === undefined ? openFifo() : openWithLibc(c);
}

/**
 * Reads a pipe to its end. A stream would do the same, but its machinery takes longer to load than most programs run.
 *
 * @param take must copy what it keeps of a chunk
 */
export async function readPipe(readFd: number, take: (chunk: Buffer) => void): Promise<void> {
  const buffer = Buffer.allocUnsafe(chunkSize);
  for (;;) {
    const length = await new Promise<number>((resolve, reject) => {
      read(readFd, buffer, 0, buffer.length, null, (error, count) => (error === null ? resolve(count) : reject(error)));
    });
    if (length === 0) return;
    take(buffer.subarray(0, length));
  }
}

function openWithLibc(c: Libc): Pipe {
  const fds = new Int32Array(2);
  if (c.call.pipe2(c.pointer(fds), O_CLOEXEC) !== 0) throw new Error("open a pipe: too many open files");
  const [readFd, writeFd] = fds as Int32Array & [number, number];
  return { readFd, writeFd };
}

const O_CLOEXEC = 0o2000000;

/** Node has no pipe(2); a named one that is unlinked at once is the same. */
function openFifo(): Pipe {
  const dir = mkdtempSync(join(tmpdir(), "pipe-"));
  try {
    const path = join(dir, "fifo");
    execFileSync("mkfifo", ["-m", "600", path]);
    // With both ends open in one descriptor, opening either end does not wait for the other.
    const both = openSync(path, constants.O_RDWR);
    const pipe = { readFd: openSync(path, constants.O_RDONLY), writeFd: openSync(path, constants.O_WRONLY) };
    closeSync(both);
    return pipe;
  } finally {
    rmSync(dir, { recursive: true });
  }
}
