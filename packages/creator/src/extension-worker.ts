import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, createReadStream } from "node:fs";
import { createInterface, type Interface } from "node:readline";
import { adoptOrphans, killAll, openPipe } from "@lifecycle/buildpack";
import { ExitCode, LifecycleError } from "@lifecycle/phase";
import { type ExtendAnswer, type ExtendRequest, formatRequest } from "./worker-protocol.ts";

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
  async extendBuildImage(request: Omit<ExtendRequest, "kind" | "runImage">): Promise<Readonly<Record<string, string>>> {
    const answer = await this.#ask({ ...request, kind: "build", runImage: "" });
    return answer.kind === "build" ? answer.env : {};
  }

  /**
   * Extends the run image.
   * @returns the directory that has the extended image as `run/<digest>`, until `close` is called
   * @throws LifecycleError with exit code 102
   */
  async extendRunImage(request: Omit<ExtendRequest, "kind">): Promise<string> {
    const answer = await this.#ask({ ...request, kind: "run" });
    return answer.kind === "run" ? answer.extendedDir : "";
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

  async #ask(request: ExtendRequest): Promise<ExtendAnswer> {
    this.#process.stdin?.write(formatRequest(request));
    const line = await this.#answers.next();
    if (line.done === true) {
      throw new LifecycleError(
        `failed to extend ${request.kind} image: the process that does it has ended`,
        ExitCode.extendError,
      );
    }
    const answer = JSON.parse(line.value) as ExtendAnswer;
    if (answer.kind === "failed") throw new LifecycleError(answer.message, answer.exitCode);
    return answer;
  }
}
