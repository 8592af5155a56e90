import { accessSync, constants, lstatSync, mkdirSync, mkdtempSync, rmSync, type Stats } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { LayerCache } from "@lifecycle/dockerfile";
import type { Logger } from "@lifecycle/phase";
import { messageOf } from "@lifecycle/syscall";
import { HeldDirectory, withRealPaths } from "./held-directory.ts";

/** What extending keeps between builds, and what it needs while it lasts. */
export interface ExtendCache {
  readonly layers: LayerCache;
  /** The directory for `RUN --mount=type=cache`. */
  readonly mountCaches: string;
  /** A private directory; `close` removes it, as does the end of this process. */
  readonly workDirectory: string;
  close(): void;
}

/** Where an ExtendCache is. */
export interface ExtendCachePlaces {
  /** Has `cache/layers` and `cache/mounts`; made if it is not there. Undefined: nothing is kept. */
  readonly kept: string | undefined;
  /** Where the work directory is made: a directory in which nobody else can rename it. */
  readonly work: string;
  /** Seconds after which a layer is not taken any more. */
  readonly timeToLive: number;
}

/**
 * Where extending works: `/` itself, which goes with the container should this process be killed, and in which no RUN
 * cleans up, as many do in `/tmp`. That is the place where `/` is read-only.
 */
export function workPlace(): string {
  try {
    accessSync("/", constants.W_OK);
    return "/";
  } catch {
    return tmpdir();
  }
}

/**
 * Opens the cache, after deleting layers that are too old. What others could have written to is removed, since it would
 * run as root. Where nothing can be kept, directories that last as long as this take its place.
 */
export async function openExtendCache(
  { kept, work, timeToLive }: ExtendCachePlaces,
  logger: Pick<Logger, "warn">,
): Promise<ExtendCache> {
  const workDirectory = mkdtempSync(join(work, ".lifecycle-"));
  const remove = () => rmSync(workDirectory, { recursive: true, force: true });
  // Who is told to stop and takes too long is ended without more ado.
  process.once("exit", remove);
  const opened: HeldDirectory[] = [];
  const place = (name: string): string => {
    if (kept !== undefined) {
      try {
        const directory = openKept(kept, name, logger);
        opened.push(directory);
        return directory.path;
      } catch (error) {
        logger.warn(`Not using the cache at ${join(kept, "cache", name)}: ${messageOf(error)}`);
      }
    }
    const fresh = join(workDirectory, name);
    mkdirSync(fresh, { mode: 0o700 });
    return fresh;
  };
  const layers = new LayerCache(place("layers"), timeToLive);
  await layers.prune();
  return {
    layers,
    mountCaches: place("mounts"),
    workDirectory,
    close: () => {
      for (const directory of opened) directory.close();
      process.off("exit", remove);
      remove();
    },
  };
}

/** Opens `<kept>/cache/<name>`, after removing what others could have changed. */
function openKept(kept: string, name: string, logger: Pick<Logger, "warn">): HeldDirectory {
  const above = openAbove(kept);
  try {
    const path = join(above.path, name);
    const found = lstatSync(path, { throwIfNoEntry: false });
    const flaw = found && flawOf(found);
    if (flaw !== undefined) {
      const place = join(kept, "cache", name);
      logger.warn(`Removing the cache at ${place}, which could hold anything: ${flaw}; only root's own is kept`);
      above.remove(name);
    }
    return openPrivate(path);
  } catch (error) {
    throw new Error(withRealPaths(messageOf(error)), { cause: error });
  } finally {
    above.close();
  }
}

/** Opens `<kept>/cache`, which belongs to whom `<kept>` belongs: a restorer that is no root writes there, too. */
function openAbove(kept: string): HeldDirectory {
  const top = HeldDirectory.openOrMake(kept, 0o755);
  try {
    const directory = HeldDirectory.openOrMake(join(top.path, "cache"), 0o755);
    const { uid, gid } = top.stats();
    if (directory.stats().uid !== uid) directory.chown(uid, gid);
    return directory;
  } catch (error) {
    throw new Error(withRealPaths(messageOf(error)), { cause: error });
  } finally {
    top.close();
  }
}

function openPrivate(path: string): HeldDirectory {
  const directory = HeldDirectory.openOrMake(path, 0o700);
  const flaw = flawOf(directory.stats());
  if (flaw !== undefined) {
    directory.close();
    throw new Error(flaw);
  }
  directory.chmod(0o700);
  return directory;
}

/** Why a directory is not to be trusted. */
function flawOf(stats: Stats): string | undefined {
  if (!stats.isDirectory()) return "it is no directory";
  if (stats.uid !== process.getuid?.()) return `it belongs to user ${stats.uid}`;
  return (stats.mode & 0o022) === 0 ? undefined : "others can write to it";
}
