import { readdirSync, readFileSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import { libc } from "@lifecycle/syscall";

const PR_SET_CHILD_SUBREAPER = 36;

/**
 * Has the kernel give us the children of processes that end, which would otherwise go to process 1. Under Node
 * nothing happens.
 */
export function adoptOrphans(): void {
  libc()?.call.prctl(PR_SET_CHILD_SUBREAPER, 1n, 0n, 0n, 0n);
}

/** What proc(5) says of a process. */
export interface ProcessStatus {
  readonly pid: number;
  readonly parent: number;
  readonly session: number;
  /** In ticks since the machine's start, whatever becomes of its number. */
  readonly started: number;
}

/** Milliseconds between two looks. */
const lookAgainAfter = 10;

/** How often at the most it is looked, lest something that multiplies faster than it is stopped stops us. */
const mostLooks = 500;

/**
 * Kills processes, all but this one. What was just being started while we looked is found by looking again, until there
 * is nothing twice in a row.
 *
 * @param isMeant which of them; one that it throws for has ended in between
 */
export async function killAll(isMeant: (status: ProcessStatus) => boolean): Promise<void> {
  let emptyLooks = 0;
  for (let look = 0; look < mostLooks && emptyLooks < 2; look++) {
    if (look > 0) await setTimeout(lookAgainAfter);
    emptyLooks = killThose(isMeant) === 0 ? emptyLooks + 1 : 0;
  }
}

/** @returns how many there were */
function killThose(isMeant: (status: ProcessStatus) => boolean): number {
  let found = 0;
  for (const pid of readdirSync("/proc").map(Number)) {
    if (!Number.isInteger(pid) || pid === process.pid) continue;
    try {
      const { state, ...status } = statusOf(pid);
      // Z: it only waits for its parent to take note of its end.
      if (state === "Z" || !isMeant(status)) continue;
      process.kill(pid, "SIGKILL");
      found++;
    } catch {
      // It ended in between.
    }
  }
  return found;
}

/** @throws Error if there is none with that number any more */
export function statusOf(pid: number): ProcessStatus & { readonly state: string } {
  const text = readFileSync(`/proc/${pid}/stat`, "latin1");
  // After the name, which may hold anything: fields 3 and on.
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const [parent = 0, session = 0, started = 0] = [fields[1], fields[3], fields[19]].map(Number);
  return { pid, state: fields[0] ?? "", parent, session, started };
}
