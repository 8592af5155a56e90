import { constants } from "node:os";

/** What a platform or a user at a terminal sends to end a build. */
const stopSignals = ["SIGTERM", "SIGINT", "SIGHUP"] as const;

/** Milliseconds that programs have to end after such a signal, less than container platforms leave to us. */
const gracePeriod = 5_000;

const groups = new Set<number>();
let exitCode: number | undefined;

/**
 * Makes a running program end together with this process: a signal that ends the lifecycle is passed on to the
 * program's process group, and the lifecycle exits with 128 plus the signal's number once all programs have ended.
 *
 * @param pid leader of the group
 * @returns to be called when the program has ended and its output has been taken
 */
export function trackGroup(pid: number): () => void {
  if (groups.size === 0) for (const signal of stopSignals) process.on(signal, stopAll);
  groups.add(pid);
  return () => {
    groups.delete(pid);
    if (groups.size > 0) return;
    for (const signal of stopSignals) process.off(signal, stopAll);
    if (exitCode !== undefined) process.exit(exitCode);
  };
}

function stopAll(signal: NodeJS.Signals): void {
  exitCode = 128 + constants.signals[signal];
  send(signal);
  setTimeout(() => send("SIGKILL"), gracePeriod);
}

function send(signal: NodeJS.Signals): void {
  for (const pid of groups) {
    try {
      process.kill(-pid, signal);
    } catch {
      // It ended in between.
    }
  }
}
