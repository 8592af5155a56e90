import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, createReadStream } from "node:fs";
import { createInterface, type Interface } from "node:readline";
import { adoptOrphans, killAll, openPipe } from "@lifecycle/buildpack";
import { ExitCode, failedTo, LifecycleError } from "@lifecycle/phase";
import {
  type ExtendAnswer,
  type ExtendInputs,
  type ExtendRequest,
  type ExtendResults,
  formatRequest,
} from "./worker-protocol.ts";

/** The argument by which the multi-call executable becomes the worker. */
const WORKER_COMMAND = "extend-for-creator";

/**
 * A process that stays root when creator becomes the build user, and does nothing but extend images. It ends when
 * creator does, however that may be, and removes what it made but for the changes to the build image.
 */
export class ExtensionWorker {
  readonly #process: ChildProcess;
  readonly #answers: AsyncIterator<string>;
  readonly #lines: Interface;
  readonly #ended: Promise<void>;

  private constructor(child: ChildProcess, answersFd: number) {
    this.#process = child;
    this.#ended = new Promise((resolve) => {
      child.once("exit", () => resolve());
      child.once("error", () => resolve());
    });
    // It says why it ended; what cannot be told to it any more is no news.
    child.stdin?.on("error", () => {});
    this.#lines = createInterface({ input: createReadStream("", { fd: answersFd }) });
    this.#answers = this.#lines[Symbol.asyncIterator]();
  }

  /**
   * To be called as long as this process is root. It writes to the standard output of this one.
   * @param signal ends it, with whatever it does
   */
  static start(signal: AbortSignal): ExtensionWorker {
    adoptOrphans();
    const { readFd, writeFd } = openPipe();
    try {
      const child = spawn(process.execPath, [WORKER_COMMAND], {
        argv0: "lifecycle",
        stdio: ["pipe", "inherit", "inherit", writeFd],
      });
      const end = () => child.stdin?.end();
      if (signal.aborted) end();
      else signal.addEventListener("abort", end);
      return new ExtensionWorker(child, readFd);
    } finally {
      closeSync(writeFd);
    }
  }

  /**
   * Extends the image of the container that this runs in.
   * @returns the variables that are to be set from now on
   * @throws LifecycleError with exit code 102
   */
  async extendBuildImage(inputs: ExtendInputs): Promise<Readonly<Record<string, string>>> {
    return (await this.#ask({ ...inputs, kind: "build" })).env;
  }

  /**
   * Extends the run image.
   * @param runImage what the store that the app image goes to knows it by
   * @returns the directory that has the extended image as `run/<digest>`, until `close` is called
   * @throws LifecycleError with exit code 102
   */
  async extendRunImage(inputs: ExtendInputs, runImage: string): Promise<string> {
    return (await this.#ask({ ...inputs, kind: "run", runImage })).extendedDir;
  }

  /** Stops all other processes that came of this one, such as what a bin/detect left running. */
  async stopOthers(): Promise<void> {
    await killAll(({ pid, parent }) => parent === process.pid && pid !== this.#process.pid);
  }

  /** Ends it, with whatever it does, and waits until it has cleaned up. */
  async close(): Promise<void> {
    this.#process.stdin?.end();
    await this.#ended;
    this.#lines.close();
  }

  async #ask<Kind extends ExtendRequest["kind"]>(
    request: ExtendRequest & { readonly kind: Kind },
  ): Promise<ExtendResults[Kind]> {
    this.#process.stdin?.write(formatRequest(request));
    const line = await this.#answers.next();
    if (line.done === true) {
      throw failedTo(`extend ${request.kind} image`, "the process that does it has ended", ExitCode.extendError);
    }
    const answer = JSON.parse(line.value) as ExtendAnswer<ExtendResults[Kind]>;
    if ("failure" in answer) throw new LifecycleError(answer.failure, answer.exitCode);
    return answer.result;
  }
}
