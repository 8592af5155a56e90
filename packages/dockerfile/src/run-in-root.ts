import { spawn } from "node:child_process";
import { closeSync, readFileSync, readlinkSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { adoptOrphans, killAll, openPipe, type ProgramEnd, readPipe, statusOf } from "@lifecycle/buildpack";
import type { ExecRequest } from "./exec-in-root.ts";

/** A program to be run in a root. */
export interface RunRequest extends Omit<ExecRequest, "parent"> {
  /**
   * The program and its first arguments that call `execInRoot` with the path that follows. It is started under the name
   * `lifecycle`.
   */
  readonly helper: readonly string[];
  /** Takes standard output and error as they come; to be copied if it is kept. */
  readonly output: (chunk: Buffer) => void;
  /** A private directory for files that last as long as this. */
  readonly workDirectory: string;
  /** Stops the program, and all that it started. */
  readonly signal: AbortSignal;
}

/** Milliseconds that a program has to end when it is told to. */
const gracePeriod = 5000;

/**
 * Runs a program in a root and waits for its end. What it left running is stopped, so that nothing changes the root
 * afterwards.
 */
export async function runInRoot(request: RunRequest): Promise<ProgramEnd> {
  const { helper, output, signal, workDirectory, ...execRequest } = request;
  const directory = await mkdtemp(join(workDirectory, "run-"));
  try {
    const file = join(directory, "request.json");
    const asked: ExecRequest = { ...execRequest, parent: process.pid };
    await writeFile(file, JSON.stringify(asked), { mode: 0o600 });
    return await runHelper([...helper, file], request);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function runHelper([program = "", ...args]: readonly string[], request: RunRequest): Promise<ProgramEnd> {
  const { signal, output, root } = request;
  signal.throwIfAborted();
  adoptOrphans();
  const { readFd, writeFd } = openPipe();
  const started = ticksSinceBoot();
  const child = spawn(program, args, {
    // Executables of many names look at the one that they were started by.
    argv0: "lifecycle",
    cwd: "/",
    // The helper needs nothing of our environment; it must not even see it.
    env: {},
    stdio: ["ignore", writeFd, writeFd],
    detached: true,
  });
  closeSync(writeFd);
  const { pid } = child;
  const stop = pid === undefined ? () => {} : () => stopGroup(pid);
  signal.addEventListener("abort", stop);
  const ended = new Promise<ProgramEnd>((resolve) => {
    child.once("error", (error) => resolve({ kind: "notStarted", reason: `${program}: ${error.message}` }));
    child.once("exit", (code, killedBy) => {
      // Bun reports an exit also of what it could not start.
      if (pid === undefined) return;
      const end: ProgramEnd =
        code === null ? { kind: "signalled", signal: killedBy ?? "SIGKILL" } : { kind: "exited", code };
      send(-pid, "SIGKILL");
      void stopLeftovers(root, started).then(() => resolve(end));
    });
  });
  try {
    await readPipe(readFd, output);
    return await ended;
  } finally {
    signal.removeEventListener("abort", stop);
    closeSync(readFd);
  }
}

function stopGroup(pid: number): void {
  send(-pid, "SIGTERM");
  void setTimeout(gracePeriod, undefined, { ref: false }).then(() => send(-pid, "SIGKILL"));
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It ended in between.
  }
}

/**
 * Stops what left the program's process group: whatever lost its parent and thereby became a child of ours, in a session
 * that is not ours, and, where the root is not everybody's, whatever has it for its own.
 */
function stopLeftovers(root: string, since: number): Promise<void> {
  const ours = statusOf(process.pid).session;
  return killAll(({ pid, parent, session, started }) => {
    const isOwn = parent === process.pid && session !== ours && started >= since;
    return isOwn || (root !== "/" && isIn(pid, root));
  });
}

/** Whether a process has a directory, or one in it, for its root. */
function isIn(pid: number, root: string): boolean {
  const own = readlinkSync(`/proc/${pid}/root`);
  return own === root || own.startsWith(`${root}/`);
}

/** Now, as `statusOf` counts. */
function ticksSinceBoot(): number {
  const seconds = readFileSync("/proc/uptime", "latin1").split(" ", 1)[0] ?? "";
  return Math.round(Number(seconds) * ticksPerSecond);
}

/** What Linux counts in wherever it tells times to programs. */
const ticksPerSecond = 100;
