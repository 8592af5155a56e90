import { readdirSync, readFileSync } from "node:fs";
import { setTimeout } from "node:timers/promises";

/** The part of Bun's foreign function interface that is needed to call prctl(2). */
interface BunFfi {
  dlopen(
    library: string,
    symbols: { prctl: { args: readonly string[]; returns: string } },
  ): { symbols: { prctl(option: number, ...args: bigint[]): number } };
}

const PR_SET_CHILD_SUBREAPER = 36;

/** Milliseconds between two looks. */
const lookAgainAfter = 10;

/** How often at the most it is looked, lest something that multiplies faster than it is stopped stops us. */
const mostLooks = 500;

/**
 * Has the kernel give us the children of processes that end, which would otherwise go to process 1, so that
 * `stopLeftovers` finds them. Only Bun can call prctl; under Node nothing happens.
 */
export function adoptOrphans(): void {
  if (process.versions.bun === undefined) return;
  const ffi = process.getBuiltinModule("bun:ffi") as unknown as BunFfi;
  const { prctl } = ffi.dlopen("libc.so.6", {
    prctl: { args: ["i32", "u64", "u64", "u64", "u64"], returns: "i32" },
  }).symbols;
  prctl(PR_SET_CHILD_SUBREAPER, 1n, 0n, 0n, 0n);
}

/**
 * Stops what programs left running: all children of this process, and what they started, which become its children then.
 * What was just being started while we looked is found by looking again, until there is nothing twice in a row.
 *
 * @param spared process ids of children that go on
 */
export async function stopLeftovers(spared: ReadonlySet<number>): Promise<void> {
  let emptyLooks = 0;
  for (let look = 0; look < mostLooks && emptyLooks < 2; look++) {
    if (look > 0) await setTimeout(lookAgainAfter);
    const found = children().filter((pid) => !spared.has(pid));
    for (const pid of found) kill(pid);
    emptyLooks = found.length === 0 ? emptyLooks + 1 : 0;
  }
}

/** Of this process, without those that only wait for it to take note of their end. */
function children(): number[] {
  return readdirSync("/proc")
    .map(Number)
    .filter((pid) => Number.isInteger(pid) && isRunningChild(pid));
}

function isRunningChild(pid: number): boolean {
  try {
    // proc(5): pid (name) state ppid …
    const text = readFileSync(`/proc/${pid}/stat`, "latin1");
    const [state, parent] = text.slice(text.lastIndexOf(")") + 2).split(" ");
    return state !== "Z" && Number(parent) === process.pid;
  } catch {
    // It ended in between.
    return false;
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It ended in between.
  }
}
