import { spawn } from "node:child_process";

/** What a program left behind. */
export interface Outcome {
  /** Exit code; 128 + the signal's number is never used: a killed program has `null`. */
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

export interface RunOptions {
  cwd?: string;
  /** The whole environment of the program; that of the tests when absent. */
  env?: Record<string, string>;
  /** What the program reads on stdin. */
  input?: string;
  /** Milliseconds after which the program is killed; 120,000 when absent. */
  timeout?: number;
}

/** Runs a program to its end and returns what it left behind, whatever its exit code. */
export function run(command: string, args: string[], options: RunOptions = {}): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      env: options.env ?? process.env,
      stdio: ["pipe", "pipe", "pipe"],
      timeout: options.timeout ?? 120_000,
      killSignal: "SIGKILL",
    });
    let stdout = "";
    let stderr = "";
    child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
      stdout += chunk;
    });
    child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
      stderr += chunk;
    });
    child.once("error", reject);
    child.once("close", (code, signal) => resolve({ code, signal, stdout, stderr }));
    // A program may end without having read its input.
    child.stdin.on("error", () => {});
    child.stdin.end(options.input ?? "");
  });
}

/**
 * Runs a program that has to succeed and returns its stdout.
 *
 * @throws Error with the command line and the program's output when it does not exit with 0.
 */
export async function mustRun(command: string, args: string[], options: RunOptions = {}): Promise<string> {
  const outcome = await run(command, args, options);
  if (outcome.code !== 0) {
    throw new Error(
      `${command} ${args.join(" ")}: ${outcome.signal ?? `exit code ${outcome.code}`}\n${outcome.stdout}${outcome.stderr}`,
    );
  }
  return outcome.stdout;
}
