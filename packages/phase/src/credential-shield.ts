/** Linux's prctl option that decides who may look into a process. */
const PR_SET_DUMPABLE = 4;

/** The part of `bun:ffi` that is used here. */
interface Ffi {
  dlopen(
    library: string,
    symbols: { prctl: { args: readonly string[]; returns: string } },
  ): { symbols: { prctl(option: number, ...args: bigint[]): number } };
}

/**
 * Closes /proc/<pid>/environ and memory of this process to other programs of the same user, so that a buildpack cannot
 * read registry credentials there. Programs that it starts are not affected.
 *
 * Only Bun can call prctl; under Node, as in tests, nothing happens.
 */
export async function shieldCredentials(): Promise<void> {
  if (process.versions.bun === undefined) {
    return;
  }
  const module = "bun:ffi";
  const { dlopen } = (await import(module)) as Ffi;
  const { prctl } = dlopen("libc.so.6", {
    prctl: { args: ["int", "u64", "u64", "u64", "u64"], returns: "int" },
  }).symbols;
  if (prctl(PR_SET_DUMPABLE, 0n, 0n, 0n, 0n) !== 0) {
    throw new Error("failed to shield registry credentials from buildpacks: prctl(PR_SET_DUMPABLE) was refused");
  }
}
