import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync, readSync, statSync } from "node:fs";
import { messageOf, systemCode, textOfCode } from "@lifecycle/syscall";
import { BoundedOutput } from "./bounded-output.ts";
import type { LiveOutput } from "./live-output.ts";
import { openPipe, readPipe } from "./pipe.ts";
import { trackGroup } from "./process-groups.ts";

/** A program of a buildpack or an extension, and all that it is given. Its standard input is empty. */
export interface Program {
  /** Absolute path of the executable. */
  readonly path: string;
  readonly args: readonly string[];
  /** Working directory. */
  readonly cwd: string;
  /** The whole environment; nothing of the lifecycle's own is added. */
  readonly env: Readonly<Record<string, string>>;
}

/** How a program ended, or why it did not start. */
export type ProgramEnd =
  | { readonly kind: "exited"; readonly code: number }
  | { readonly kind: "signalled"; readonly signal: NodeJS.Signals }
  | { readonly kind: "notStarted"; readonly reason: string };

/**
 * Runs a program with its standard output and error shown as they come, in the order in which it writes them.
 *
 * They do not share our own descriptor: a pipe that a container runtime made for root cannot be opened through
 * /dev/stderr by the user as whom buildpacks run.
 */
export async function runLive(program: Program, output: LiveOutput): Promise<ProgramEnd> {
  try {
    return await runPiped(program, (chunk) => output.write(chunk));
  } finally {
    output.end();
  }
}

/**
 * Runs a program and collects its standard output and error together, in the order in which it writes them.
 *
 * @param limit most bytes kept; of more, the beginning and the end
 */
export async function runCaptured(program: Program, limit: number): Promise<{ end: ProgramEnd; output: string }> {
  const output = new BoundedOutput(limit);
  const end = await runPiped(program, (chunk) => output.add(chunk));
  return { end, output: output.toString() };
}

/** The end in the words that a user knows from other tools: `exit status 1`, `signal: killed`. */
export function describeEnd(end: ProgramEnd): string {
  switch (end.kind) {
    case "exited":
      return `exit status ${end.code}`;
    case "signalled":
      return `signal: ${signalTexts[end.signal] ?? end.signal}`;
    case "notStarted":
      return end.reason;
  }
}

async function runPiped(program: Program, take: (chunk: Buffer) => void): Promise<ProgramEnd> {
  const { readFd, writeFd } = openPipe();
  const { ended, untrack } = start(program, writeFd);
  closeSync(writeFd);
  try {
    await readPipe(readFd, take);
    return await ended;
  } finally {
    closeSync(readFd);
    untrack();
  }
}

/** A program that was started, or could not be. */
interface Started {
  readonly ended: Promise<ProgramEnd>;
  /** To be called once its last output is taken: when the lifecycle is told to stop, it waits for that. */
  readonly untrack: () => void;
}

function start(program: Program, outputFd: number): Started {
  const without = (end: ProgramEnd): Started => ({ ended: Promise.resolve(end), untrack: () => {} });
  if (statSync(program.cwd, { throwIfNoEntry: false }) === undefined) {
    return without({ kind: "notStarted", reason: `chdir ${program.cwd}: no such file or directory` });
  }
  let child: ChildProcess;
  try {
    child = spawn(program.path, program.args, {
      cwd: program.cwd,
      env: { ...program.env },
      stdio: ["ignore", outputFd, outputFd],
      // A process group of its own, which can be stopped together with what the program starts.
      detached: true,
    });
  } catch (error) {
    return without(notStarted(program, error));
  }
  const { pid } = child;
  const ended = new Promise<ProgramEnd>((resolve) => {
    child.once("error", (error) => resolve(notStarted(program, error)));
    child.once("exit", (code, signal) => {
      // Bun reports an exit also of what it could not start.
      if (pid === undefined) return;
      resolve(code === null ? { kind: "signalled", signal: signal ?? "SIGKILL" } : { kind: "exited", code });
    });
  });
  return { ended, untrack: pid === undefined ? () => {} : trackGroup(pid) };
}

function notStarted(program: Program, error: unknown): ProgramEnd {
  const code = systemCode(error) ?? "";
  const text = textOfCode(code) ?? messageOf(error);
  const hint = code === "ENOENT" ? missingInterpreter(program.path) : "";
  return { kind: "notStarted", reason: `fork/exec ${program.path}: ${text}${hint}` };
}

/** Says which interpreter is missing if the program itself is there, since the error of exec(2) names neither. */
function missingInterpreter(path: string): string {
  try {
    const interpreter = /^#![ \t]*(\S+)/.exec(readStart(path))?.[1];
    return ` (${interpreter === undefined ? "the loader it asks for" : `its interpreter ${interpreter}`} does not exist)`;
  } catch {
    return "";
  }
}

function readStart(path: string): string {
  const fd = openSync(path, "r");
  try {
    const start = Buffer.alloc(256);
    return start.toString("latin1", 0, readSync(fd, start));
  } finally {
    closeSync(fd);
  }
}

const signalTexts: Readonly<Partial<Record<NodeJS.Signals, string>>> = {
  SIGABRT: "aborted",
  SIGALRM: "alarm clock",
  SIGBUS: "bus error",
  SIGFPE: "floating point exception",
  SIGHUP: "hangup",
  SIGILL: "illegal instruction",
  SIGINT: "interrupt",
  SIGKILL: "killed",
  SIGPIPE: "broken pipe",
  SIGQUIT: "quit",
  SIGSEGV: "segmentation fault",
  SIGSYS: "bad system call",
  SIGTERM: "terminated",
  SIGTRAP: "trace/breakpoint trap",
  SIGUSR1: "user defined signal 1",
  SIGUSR2: "user defined signal 2",
  SIGXCPU: "CPU time limit exceeded",
  SIGXFSZ: "file size limit exceeded",
};
