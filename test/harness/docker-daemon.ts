import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { mustRun, type Outcome, type RunOptions, run } from "./run.ts";
import { startServer } from "./server.ts";

/** A real Docker daemon with its own storage and socket. Its containers share the machine's network, or have none. */
export interface DockerDaemon {
  readonly pid: number;
  /** Path of the socket it listens on. */
  readonly socket: string;
  /** The same as a `DOCKER_HOST`. */
  readonly host: string;
  /** Runs the Docker client, which has to succeed, and returns its stdout. */
  docker(...args: string[]): Promise<string>;
  /** Runs the Docker client and returns what it left behind. */
  tryDocker(args: string[], options?: RunOptions): Promise<Outcome>;
  /** The daemon's own log. */
  log(): string;
  /** Stops the daemon and its containers, and deletes its storage. */
  stop(): Promise<void>;
}

/** Starts a Docker daemon and waits until it answers. Needs root. */
export async function startDockerDaemon(): Promise<DockerDaemon> {
  const directory = await mkdtemp(join(tmpdir(), "dockerd-"));
  const socket = join(directory, "docker.sock");
  const host = `unix://${socket}`;
  // No bridge, so that nothing of the machine's network is touched, and no iptables is needed.
  const network = ["--bridge=none", "--iptables=false", "--ip6tables=false", "--ip-masq=false"];
  const places = ["--data-root", join(directory, "data"), "--exec-root", join(directory, "exec")];
  try {
    // In a mount namespace of its own, whatever it mounts is gone with it, however it ends.
    const server = await startServer(
      "unshare",
      ["--mount", "--", "dockerd", "--host", host, ...places, "--pidfile", join(directory, "pid"), ...network],
      { ready: /API listen on/ },
    );
    const client = ["--host", host];
    // The client must not find the user's own settings, credentials or contexts.
    const env = { PATH: process.env.PATH ?? "", HOME: directory, DOCKER_CONFIG: directory };
    return {
      pid: server.pid,
      socket,
      host,
      docker: (...args) => mustRun("docker", [...client, ...args], { env }),
      tryDocker: (args, options = {}) => run("docker", [...client, ...args], { env, ...options }),
      log: server.log,
      stop: async () => {
        await server.stop();
        await rm(directory, { recursive: true, force: true });
      },
    };
  } catch (error) {
    await rm(directory, { recursive: true, force: true });
    throw error;
  }
}
