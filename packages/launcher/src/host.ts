import type { EnvFs } from "@lifecycle/env";

/** What an exec.d program left behind. */
export interface ExecDResult {
  /** "" if it exited with 0, else how it ended: `exit status 3`, `signal: killed`, or that it wrote too much. */
  readonly failure: string;
  /** What it wrote to file descriptor 3. */
  readonly output: string;
}

/**
 * What the launcher needs of an operating system; `c/launcher.c` provides it.
 *
 * Strings hold one byte per character (code points 0 to 255), so that names, arguments and values that are not UTF-8
 * pass through unchanged. Errors read `open /layers: permission denied`; those of `execve` carry the reason alone.
 */
export interface Host extends EnvFs {
  /** The name it was started by, and its arguments. */
  readonly argv: readonly string[];
  /** Its environment as `NAME=value`, as the kernel handed it over. */
  readonly environ: readonly string[];
  /** Why the effective user cannot execute the file; undefined if nothing forbids it. Follows symbolic links. */
  whyNotExecutable(path: string): string | undefined;
  /** Changes the working directory. */
  chdir(path: string): void;
  /** Absolute path of the working directory. */
  getcwd(): string;
  /** Replaces this process; returns only by throwing. */
  execve(path: string, argv: readonly string[], environ: readonly string[]): never;
  /**
   * Runs a program with empty standard input, with this process's standard output and error, and with a pipe as file
   * descriptor 3, and waits for both the pipe's and the program's end. Output of more than `limit` bytes ends it.
   */
  runExecD(path: string, environ: readonly string[], limit: number): ExecDResult;
  /** Writes to standard output. Errors are ignored: there is nobody to tell. */
  write(text: string): void;
}
