import { randomUUID } from "node:crypto";
import type { DockerDaemon } from "./docker-daemon.ts";
import { mustRun, type Outcome } from "./run.ts";

/** How a container is run. */
export interface ContainerOptions {
  image: string;
  /** Program and arguments; the image's own when absent. */
  command?: string[];
  /** `uid:gid`; the image's own when absent. */
  user?: string;
  env?: Record<string, string>;
  /** Paths in the container with the host's path mounted there; one that ends in `:ro` is read-only. */
  mounts?: Record<string, string>;
  /** The machine's network, or none; "host" when absent. */
  network?: "host" | "none";
  /** Further flags of `docker run`, as `--read-only` or `--cap-drop=ALL`. */
  flags?: string[];
  /** Milliseconds after which the container is removed; 120,000 when absent. */
  timeout?: number;
}

/** Runs a container to its end and returns what it left behind, whatever its exit code. */
export async function runContainer(daemon: DockerDaemon, options: ContainerOptions): Promise<Outcome> {
  const name = `test-${randomUUID()}`;
  const outcome = await daemon.tryDocker(["run", "--rm", "--name", name, ...runFlags(options)], {
    timeout: options.timeout ?? 120_000,
  });
  // A client that was killed for being late leaves its container behind.
  if (outcome.signal) await daemon.tryDocker(["rm", "--force", name]);
  return outcome;
}

/** A container that runs until it is stopped. */
export interface RunningContainer {
  readonly name: string;
  /** What it wrote so far to stdout and stderr. */
  logs(): Promise<string>;
  /** Removes the container. */
  stop(): Promise<void>;
}

/** Starts a container in the background. */
export async function startContainer(daemon: DockerDaemon, options: ContainerOptions): Promise<RunningContainer> {
  const name = `test-${randomUUID()}`;
  await daemon.docker("run", "--detach", "--name", name, ...runFlags(options));
  return {
    name,
    logs: async () => {
      const { stdout, stderr } = await daemon.tryDocker(["logs", name]);
      return stdout + stderr;
    },
    stop: async () => {
      await daemon.docker("rm", "--force", name);
    },
  };
}

function runFlags(options: ContainerOptions): string[] {
  const { env = {}, mounts = {}, flags = [], command = [] } = options;
  return [
    `--network=${options.network ?? "host"}`,
    ...(options.user === undefined ? [] : ["--user", options.user]),
    ...Object.entries(env).flatMap(([name, value]) => ["--env", `${name}=${value}`]),
    ...Object.entries(mounts).flatMap(([to, from]) => {
      const [, path, mode] = /^(.*?)(:ro)?$/.exec(from) ?? [];
      return ["--volume", `${path}:${to}${mode ?? ""}`];
    }),
    ...flags,
    options.image,
    ...command,
  ];
}

/**
 * Makes an image of the daemon's from a root file system.
 *
 * @param root a directory; its files belong to root in the image
 * @param reference the image's name and tag
 * @param changes instructions of a Dockerfile, as `USER 1000:1000`
 */
export async function importImage(
  daemon: DockerDaemon,
  root: string,
  reference: string,
  changes: string[] = [],
): Promise<void> {
  const flags = changes.flatMap((change) => ["--change", change]);
  const script =
    'root=$1 host=$2; shift 2; tar -C "$root" --owner=0 --group=0 -c . | docker --host "$host" import "$@"';
  await mustRun("bash", ["-o", "pipefail", "-c", script, "bash", root, daemon.host, ...flags, "-", reference]);
}
