import { libc } from "@lifecycle/syscall";

/** Linux's prctl option that decides who may look into a process. */
const PR_SET_DUMPABLE = 4;

/**
 * Closes /proc/<pid>/environ and memory of this process to other programs of the same user, so that a buildpack cannot
 * read registry credentials there. Programs that it starts are not affected.
 *
 * Under Node, as in tests, nothing happens.
 */
export function shieldCredentials(): void {
  const c = libc();
  if (c !== undefined && c.call.prctl(PR_SET_DUMPABLE, 0n, 0n, 0n, 0n) !== 0) {
    throw new Error("failed to shield registry credentials from buildpacks: prctl(PR_SET_DUMPABLE) was refused");
  }
}
