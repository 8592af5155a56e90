import type * as http from "node:http";
import { Readable } from "node:stream";
import type Docker from "dockerode";
import { ImageError, type ImageErrorCode } from "../errors.ts";
import type { JsonObject } from "../go-json.ts";
import { isJsonObject } from "../json-border.ts";
import type { DaemonAddress } from "./address.ts";
import { DaemonAgent, maxConnections } from "./agent.ts";

/**
 * How a daemon stores images, which decides what a load archive may leave out:
 * - `classic`: Docker, layers by the chain of layers below them
 * - `containerd`: Docker with containerd's image store, blobs by their digest
 * - `podman`: layers by their diff ID
 */
export type DaemonKind = "classic" | "containerd" | "podman";

/** In bytes; what is more in an answer that should be short is left unread. */
const maxAnswer = 1024 * 1024;

/** Pieces of an archive that wait for the daemon to take them, in bytes. */
const uploadBuffer = 1024 * 1024;

/** Speaks to one daemon, through dockerode. Errors are ImageErrors that name the daemon. */
export class DaemonConnection {
  readonly #docker: Docker;
  readonly #agent: http.Agent;
  readonly #name: string;
  #kind: Promise<DaemonKind> | undefined;
  #version: Promise<Docker.DockerVersion> | undefined;

  private constructor(docker: Docker, agent: http.Agent, name: string) {
    this.#docker = docker;
    this.#agent = agent;
    this.#name = name;
  }

  /**
   * Gets ready to speak to a daemon. A socket of root's is connected to now, so that this goes on working when the
   * process has become another user; whether any other daemon answers shows with the first request.
   * @throws ImageError `unreachable` if nobody listens on a socket of root's
   */
  static async open(address: DaemonAddress): Promise<DaemonConnection> {
    const agent = new DaemonAgent(address);
    await agent.connectAhead();
    // Read only here: most phases of most builds need no daemon.
    const { default: Dockerode } = await import("dockerode");
    return new DaemonConnection(new Dockerode(optionsFor(agent)), agent, address.name);
  }

  /** How the daemon stores images; asked for once. */
  kind(): Promise<DaemonKind> {
    this.#kind ??= this.#findKind();
    return this.#kind;
  }

  async #findKind(): Promise<DaemonKind> {
    const { Components = [] } = await this.#askVersion();
    if (Components.some(({ Name }) => /^Podman/.test(Name))) return "podman";
    const info: { DriverStatus?: unknown } = await this.#ask(
      "asking for information on the docker daemon",
      this.#docker.info(),
    );
    const status = Array.isArray(info.DriverStatus) ? info.DriverStatus : [];
    const isContainerd = status.some(
      (entry) => Array.isArray(entry) && entry[0] === "driver-type" && entry[1] === "io.containerd.snapshotter.v1",
    );
    return isContainerd ? "containerd" : "classic";
  }

  #askVersion(): Promise<Docker.DockerVersion> {
    this.#version ??= this.#ask("asking for the version of the docker daemon", this.#docker.version());
    return this.#version;
  }

  /** Any server may answer a question about an image, mostly with 404; only a daemon tells the version of its API. */
  async #requireDaemon(what: string): Promise<void> {
    let version: unknown;
    try {
      version = await this.#askVersion();
    } catch (error) {
      // Who stands before a daemon may keep this to itself.
      if (error instanceof ImageError && error.code === "unauthorized") return;
      if (!(error instanceof ImageError) || error.code !== "not-found") throw error;
    }
    if (isJsonObject(version as never) && typeof (version as JsonObject).ApiVersion === "string") return;
    const message = `what answers at ${this.#name} is no docker daemon; check DOCKER_HOST`;
    throw new ImageError("unreachable", `${what}: ${message}`);
  }

  /** Makes sure on all connections that the daemon is there, which also keeps it from closing them. */
  async ping(): Promise<void> {
    await Promise.all(
      Array.from({ length: maxConnections }, () => this.#ask("pinging the docker daemon", this.#docker.ping())),
    );
  }

  /**
   * What the daemon says of an image, as JSON of its API.
   * @param name a reference, or an image ID
   * @returns undefined if there is no such image
   * @throws ImageError `unreachable` also if something else than a daemon answers
   */
  async inspect(name: string): Promise<JsonObject | undefined> {
    const what = `inspecting image "${name}"`;
    let answer: unknown;
    try {
      answer = await this.#ask(what, this.#docker.getImage(name).inspect());
    } catch (error) {
      if (!(error instanceof ImageError) || error.code !== "not-found") throw error;
    }
    await this.#requireDaemon(what);
    return answer === undefined ? undefined : asObject(answer, what);
  }

  /** The steps that made an image, last one first, as JSON of the daemon's API. */
  async history(name: string): Promise<readonly JsonObject[]> {
    const what = `get history for image "${name}"`;
    const steps: unknown = await this.#ask(what, this.#docker.getImage(name).history());
    if (!Array.isArray(steps)) throw new ImageError("invalid", `${what}: the daemon answered with no list`);
    return steps.map((step) => asObject(step, what));
  }

  /** Gives an image a further name. */
  async tag(id: string, repository: string, tag: string): Promise<void> {
    await this.#ask(`tagging image "${id}"`, this.#docker.getImage(id).tag({ repo: repository, tag }));
  }

  /**
   * Loads an image from an archive as `docker load` reads it.
   * @throws ImageError `refused` with the daemon's reason; whatever the archive's stream throws
   */
  async load(archive: AsyncIterable<Uint8Array>): Promise<void> {
    let failure: { readonly error: unknown } | undefined;
    const watched = async function* () {
      try {
        yield* archive;
      } catch (error) {
        failure = { error };
        throw error;
      }
    };
    const body = Readable.from(watched(), { objectMode: false, highWaterMark: uploadBuffer });
    try {
      const answer = await this.#docker.loadImage(body, { quiet: true });
      throwRefusal(await readText(answer));
    } catch (error) {
      if (failure !== undefined) throw failure.error;
      throw this.#explain("loading image", error);
    } finally {
      body.destroy();
    }
  }

  /** The archive of an image, as `docker save` writes it. Left unread, it costs a connection. */
  async *save(id: string): AsyncGenerator<Uint8Array> {
    const what = `saving image with ID "${id}" from the docker daemon`;
    const archive = await this.#ask(what, this.#docker.getImage(id).get());
    try {
      for await (const chunk of archive) yield chunk as Buffer;
    } catch (error) {
      throw this.#explain(what, error);
    }
  }

  /** Closes all connections. */
  close(): void {
    this.#agent.destroy();
  }

  async #ask<T>(what: string, answer: Promise<T>): Promise<T> {
    try {
      return await answer;
    } catch (error) {
      throw this.#explain(what, error);
    }
  }

  #explain(what: string, cause: unknown): ImageError {
    if (cause instanceof ImageError) return cause;
    const { statusCode, code, message } = cause as Error & { readonly statusCode?: number; readonly code?: string };
    if (statusCode !== undefined) {
      const reason = (/^\(HTTP code \d+\) .*? - (.*)$/s.exec(message)?.[1] ?? message).trim();
      return new ImageError(codeOf(statusCode), `${what}: error response from daemon: ${reason}`, { cause });
    }
    const hint = "check if the path is correct and if the daemon is running";
    const connection = `failed to connect to the docker API at ${this.#name}; ${hint}`;
    return new ImageError("unreachable", `${what}: ${connection}: ${message || code}`, { cause });
  }
}

/**
 * The agent alone knows where the daemon is. dockerode would also look at the environment by itself, by rules of its own;
 * it believes to speak to a socket. Its types do not know of agents.
 */
function optionsFor(agent: http.Agent): Docker.DockerOptions {
  const nothing = { host: undefined, port: undefined, ca: undefined, cert: undefined, key: undefined };
  return Object.assign(nothing, { socketPath: "/", protocol: "http" as const, agent });
}

function codeOf(status: number): ImageErrorCode {
  if (status === 401 || status === 403) return "unauthorized";
  return status === 404 ? "not-found" : "refused";
}

function asObject(value: unknown, what: string): JsonObject {
  if (isJsonObject(value as never)) return value as JsonObject;
  throw new ImageError("invalid", `${what}: the daemon answered with no JSON object`);
}

async function readText(answer: NodeJS.ReadableStream): Promise<string> {
  let text = "";
  for await (const chunk of answer) {
    if (text.length < maxAnswer) text += chunk;
  }
  return text;
}

/** The answer to a load is a message of progress on each line; one with an error is the last. */
function throwRefusal(answer: string): void {
  for (const line of answer.split("\n")) {
    if (line.trim() === "") continue;
    let message: unknown;
    try {
      message = JSON.parse(line);
    } catch (cause) {
      throw new ImageError("invalid", "loading image: the daemon's answer is not JSON", { cause });
    }
    const error = isJsonObject(message) ? message.error : undefined;
    if (error !== undefined) throw new ImageError("refused", `loading image: embedded daemon response: ${error}`);
  }
}
