import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { FaultProxy } from "../harness/fault-proxy.ts";

/** What is used here of Bun's own interface. */
declare const Bun: {
  spawn(
    command: string[],
    options: { env: Record<string, string>; cwd: string; stdout: "pipe"; stderr: "pipe" },
  ): {
    readonly exited: Promise<number>;
    readonly stdout: ReadableStream<Uint8Array>;
    readonly stderr: ReadableStream<Uint8Array>;
    /** Of the process and of those that it waited for, in microseconds. */
    resourceUsage(): { readonly cpuTime: { readonly total: bigint } };
  };
};

/** What running a program takes. */
export interface Costs {
  /** Milliseconds of processor, user and system, with the programs that it started. */
  readonly cpu: number;
  /** Peak of the largest process, in bytes. */
  readonly memory: number;
  readonly milliseconds: number;
  /** To the registry. */
  readonly requests: number;
  /** Bytes between it and the registry, both ways. */
  readonly transferred: number;
}

/**
 * Runs a program that has to succeed.
 *
 * @param proxy all that it asks a registry for goes through it
 * @param directory a place for files; the working directory
 */
export async function measure(
  command: readonly string[],
  { proxy, directory, env = {} }: { proxy: FaultProxy; directory: string; env?: Record<string, string> | undefined },
): Promise<Costs> {
  proxy.begin();
  const peak = join(directory, "peak");
  const started = performance.now();
  // Asks a process of its own for the peak: a child of this one would begin with what this one has in memory.
  const child = Bun.spawn(["time", "--format=%M", `--output=${peak}`, ...command], {
    env: { PATH: process.env.PATH ?? "", CNB_PLATFORM_API: "0.13", ...env },
    cwd: directory,
    stdout: "pipe",
    stderr: "pipe",
  });
  const output = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
  const code = await child.exited;
  const milliseconds = performance.now() - started;
  if (code !== 0) throw new Error(`${command.join(" ")} ended with ${code}:\n${output.join("").slice(-4000)}`);
  return {
    cpu: Number(child.resourceUsage().cpuTime.total) / 1000,
    memory: Number(readFileSync(peak, "utf8")) * 1024,
    milliseconds,
    requests: proxy.requests.length,
    transferred: proxy.bytes,
  };
}

/** What steps cost us and the reference, each as often as it was done; of what was measured, the least counts. */
export class Comparison {
  readonly #title: string;
  readonly #steps = new Map<string, { readonly ours: Costs[]; readonly reference: Costs[] }>();

  constructor(title: string) {
    this.#title = title;
  }

  note(step: string, whose: "ours" | "reference", costs: Costs): void {
    const both = this.#steps.get(step) ?? { ours: [], reference: [] };
    both[whose].push(costs);
    this.#steps.set(step, both);
  }

  /** Prints one line for each step. */
  print(): void {
    const cell = (text: string) => text.padStart(18);
    const columns = ["CPU, ms", "memory, MB", "time, ms", "requests", "kB"].map(cell).join("");
    process.stdout.write(`\n${this.#title}: ours / reference = ratio\n${"".padEnd(26)}${columns}\n`);
    for (const [step, { ours, reference }] of this.#steps) {
      const pair = (key: keyof Costs, unit: number): string => {
        const least = (costs: readonly Costs[]) => Math.min(...costs.map((each) => each[key])) / unit;
        const [one, other] = [least(ours), least(reference)];
        const shown = [one, other].map((value) => (Number.isFinite(value) ? value.toFixed(0) : "-")).join("/");
        return cell(`${shown}${one > 0 && other > 0 ? ` =${(one / other).toFixed(2)}` : ""}`);
      };
      const values = [pair("cpu", 1), pair("memory", 1e6), pair("milliseconds", 1)];
      const pairs = [...values, pair("requests", 1), pair("transferred", 1000)];
      process.stdout.write(`${step.padEnd(26)}${pairs.join("")}\n`);
    }
  }
}
