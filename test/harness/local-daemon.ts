import { startDockerDaemon } from "./docker-daemon.ts";
import { startPodman } from "./podman.ts";

/** A daemon of either kind, as far as both can do the same. */
export interface LocalDaemon {
  /** The path of the socket at which it serves Docker's API. */
  readonly socket: string;
  /** Runs its own client; what it writes to standard output comes back. */
  run(...args: string[]): Promise<string>;
  /** Flags of `run` that this machine's containers need. */
  readonly runFlags: readonly string[];
  stop(): Promise<void>;
}

export async function startDaemon(kind: "docker" | "podman"): Promise<LocalDaemon> {
  if (kind === "docker") {
    const { socket, docker, stop } = await startDockerDaemon();
    return { socket, run: docker, runFlags: ["--network=none"], stop };
  }
  const { socket, podman, stop } = await startPodman();
  const limits = ["--ulimit=nofile=1024:1024", "--ulimit=nproc=1024:1024"];
  return { socket, run: podman, runFlags: ["--network=host", ...limits], stop };
}
