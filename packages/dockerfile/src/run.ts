import { spawn } from "node:child_process";
import { closeSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { openPipe, type ProgramEnd, readPipe } from "@lifecycle/buildpack";
import type { ExecRequest } from "./exec-in-root.ts";
import { libc } from "./libc.ts";

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

/** Milliseconds between two looks for what is left running. */
const lookAgainAfter = 10;

/** How often at the most it is looked for, lest something that multiplies faster than it is stopped stops us. */
const mostLooks = 500;

/**
 * Stops what left the program's process group: whatever lost its parent and thereby became a child of ours, and, where
 * the root is not everybody's, whatever has it for its own. What was just being started while we looked is found by
 * looking again, until there is nothing twice in a row.
 */
async function stopLeftovers(root: string, since: number): Promise<void> {
  let emptyLooks = 0;
  for (let look = 0; look < mostLooks && emptyLooks < 2; look++) {
    if (look > 0) await setTimeout(lookAgainAfter);
    emptyLooks = killLeftovers(root, since) === 0 ? emptyLooks + 1 : 0;
  }
}

/** @returns how many there were */
function killLeftovers(root: string, since: number): number {
  const ours = statusOf(process.pid).session;
  let found = 0;
  for (const name of readdirSync("/proc")) {
    const pid = Number(name);
    if (!Number.isInteger(pid) || pid === process.pid) continue;
    try {
      if (hasEnded(pid) || !(isOwnChild(pid, since, ours) || (root !== "/" && isIn(pid, root)))) continue;
      send(pid, "SIGKILL");
      found++;
    } catch {
      // It ended in between.
    }
  }
  return found;
}

/** Whether a process only waits for its parent to take note of its end. */
function hasEnded(pid: number): boolean {
  return statusOf(pid).state === "Z";
}

/** Whether a process is a child of ours that was started at a time or later, in a session that is not ours. */
function isOwnChild(pid: number, since: number, ours: number): boolean {
  const { parent, session, started } = statusOf(pid);
  return parent === process.pid && session !== ours && started >= since;
}

/** Whether a process has a directory, or one in it, for its root. */
function isIn(pid: number, root: string): boolean {
  const own = readlinkSync(`/proc/${pid}/root`);
  return own === root || own.startsWith(`${root}/`);
}

/** What proc(5) says of a process; `started` is in ticks since the machine's start, whatever becomes of its number. */
function statusOf(pid: number): { state: string; parent: number; session: number; started: number } {
  const text = readFileSync(`/proc/${pid}/stat`, "latin1");
  // After the name, which may hold anything: fields 3 and on.
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const [parent = 0, session = 0, started = 0] = [fields[1], fields[3], fields[19]].map(Number);
  return { state: fields[0] ?? "", parent, session, started };
}

/** Now, as `statusOf` counts. */
function ticksSinceBoot(): number {
  const seconds = readFileSync("/proc/uptime", "latin1").split(" ", 1)[0] ?? "";
  return Math.round(Number(seconds) * ticksPerSecond);
}

/** What Linux counts in wherever it tells times to programs. */
const ticksPerSecond = 100;

const PR_SET_CHILD_SUBREAPER = 36;

/** Has the kernel give us the children of processes that end, which would otherwise go to process 1. */
function adoptOrphans(): void {
  libc?.call.prctl(PR_SET_CHILD_SUBREAPER, 1n, 0n, 0n, 0n);
}
