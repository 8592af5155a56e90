import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";

/** The last part of a server's log that is kept, in characters. */
const LOG_LIMIT = 1_000_000;

/** A process that the tests started, and that they stop again. */
export interface ServerProcess {
  readonly pid: number;
  /** What matched `ready`, with its capture groups. */
  readonly ready: RegExpExecArray;
  /** What the process has written so far to stdout and stderr, the last million characters of it. */
  log(): string;
  /** Ends the process (SIGTERM, after ten seconds SIGKILL) and returns once it is gone. */
  stop(): Promise<void>;
}

/** How a server is started. */
export interface ServerOptions {
  /** The server is ready once this matches its log. */
  ready: RegExp;
  /** Added to the environment of the tests. */
  env?: Record<string, string>;
  /** Milliseconds to wait for `ready`; 30,000 when absent. */
  timeout?: number;
}

/**
 * Starts a server and waits until its log says that it is ready.
 *
 * The kernel ends it when the process of the tests dies, however that happens, so nothing outlives a test run.
 *
 * @throws Error with the end of the server's log, when it exits or stays silent instead.
 */
export async function startServer(command: string, args: string[], options: ServerOptions): Promise<ServerProcess> {
  const child = spawn("setpriv", ["--pdeathsig", "TERM", "--", command, ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, ...options.env },
  });
  let log = "";
  const collect = (chunk: string) => {
    log = (log + chunk).slice(-LOG_LIMIT);
  };
  child.stdout.setEncoding("utf8").on("data", collect);
  child.stderr.setEncoding("utf8").on("data", collect);

  const timeout = options.timeout ?? 30_000;
  let timer: NodeJS.Timeout | undefined;
  try {
    const ready = await new Promise<RegExpExecArray>((resolve, reject) => {
      const fail = (reason: string) => reject(new Error(`${command} ${reason}\n${log.slice(-4000)}`));
      const look = () => {
        const match = options.ready.exec(log);
        if (match) resolve(match);
      };
      timer = setTimeout(() => fail(`was not ready within ${timeout} ms`), timeout);
      child.stdout.on("data", look);
      child.stderr.on("data", look);
      child.once("error", (error) => fail(`did not start: ${error.message}`));
      child.once("exit", (code, signal) => fail(`ended before it was ready (${signal ?? `exit code ${code}`})`));
    });
    const { pid } = child;
    if (pid === undefined) throw new Error(`${command} has no process id`);
    return { pid, ready, log: () => log, stop: () => stop(child) };
  } catch (error) {
    await stop(child);
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, "exit");
  child.kill("SIGTERM");
  const killer = setTimeout(() => child.kill("SIGKILL"), 10_000);
  await gone;
  clearTimeout(killer);
}
