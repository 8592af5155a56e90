import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { mustRun } from "./run.ts";
import { startServer } from "./server.ts";

/** A real Podman service with its own storage and socket. Its containers share the machine's network. */
export interface Podman {
  readonly pid: number;
  /** Path of the socket it listens on. */
  readonly socket: string;
  /** Where it looks for the authorities of registries, in directories with their hosts' names. */
  readonly certificatesDirectory: string;
  /** Runs the Podman client, which has to succeed, and returns its stdout. */
  podman(...args: string[]): Promise<string>;
  /** Stops the service and deletes its storage. */
  stop(): Promise<void>;
}

/** Starts a Podman service and waits until it answers. Needs root. */
export async function startPodman(): Promise<Podman> {
  const directory = await mkdtemp(join(tmpdir(), "podman-"));
  const socket = join(directory, "podman.sock");
  const places = ["--root", join(directory, "root"), "--runroot", join(directory, "run"), "--tmpdir", directory];
  const kinds = ["--storage-driver=overlay", "--cgroup-manager=cgroupfs", "--events-backend=none"];
  // Neither the user's own settings nor his storage are to be touched.
  const env = { HOME: directory, XDG_CONFIG_HOME: directory, TMPDIR: directory };
  try {
    // In a mount namespace of its own, whatever it mounts is gone with it, however it ends.
    const server = await startServer(
      "unshare",
      [
        ...["--mount", "--", "podman", ...places, ...kinds, "--log-level=info"],
        ...["system", "service", "--time=0", `unix://${socket}`],
      ],
      { ready: /API service listening on/, env },
    );
    return {
      pid: server.pid,
      socket,
      certificatesDirectory: join(directory, ".config/containers/certs.d"),
      podman: (...args) =>
        mustRun("podman", ["--remote", "--url", `unix://${socket}`, ...args], {
          env: { ...env, PATH: process.env.PATH ?? "" },
        }),
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
