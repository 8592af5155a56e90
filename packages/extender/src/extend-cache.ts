import {
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmSync,
} from "node:fs";
import { join } from "node:path";
import { LayerCache } from "@lifecycle/dockerfile";
import type { Logger } from "@lifecycle/phase";

/** What extending keeps between builds, and what it needs while it lasts. */
export interface ExtendCache {
  readonly layers: LayerCache;
  /** The directory for `RUN --mount=type=cache`. */
  readonly mountCaches: string;
  /** A private directory; `close` removes it. */
  readonly workDirectory: string;
  close(): void;
}

/** Where an ExtendCache is. */
export interface ExtendCachePlaces {
  /** Has `cache/layers` and `cache/mounts`; made if it is not there. Undefined: nothing is kept. */
  readonly kept: string | undefined;
  /** Where the work directory is made. */
  readonly work: string;
  /** Seconds after which a layer is not taken any more. */
  readonly timeToLive: number;
}

/**
 * Opens the cache, after deleting layers that are too old. What others could have written to is not taken, since it
 * would run as root: in its place come directories that last as long as this.
 */
export async function openExtendCache(
  { kept, work, timeToLive }: ExtendCachePlaces,
  logger: Pick<Logger, "warn">,
): Promise<ExtendCache> {
  const workDirectory = mkdtempSync(join(work, "work.dir"));
  const place = (name: string): string => {
    if (kept !== undefined) {
      const directory = join(kept, "cache", name);
      mkdirSync(join(kept, "cache"), { recursive: true });
      const reason = claim(directory);
      if (reason === undefined) return directory;
      logger.warn(`Not using the cache at ${directory}: ${reason}; remove it to have a new one`);
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
    close: () => rmSync(workDirectory, { recursive: true, force: true }),
  };
}

/**
 * Makes a directory that nobody but this user can look into.
 *
 * @returns why it cannot be trusted
 */
function claim(path: string): string | undefined {
  if (lstatSync(path, { throwIfNoEntry: false }) === undefined) {
    mkdirSync(path, { mode: 0o700 });
    return undefined;
  }
  let directory: number;
  try {
    directory = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  } catch {
    return "it is no directory";
  }
  try {
    const { uid, mode } = fstatSync(directory);
    if (uid !== process.getuid?.()) return `it belongs to user ${uid}`;
    if ((mode & 0o022) !== 0) return "others can write to it";
    fchmodSync(directory, 0o700);
    return undefined;
  } finally {
    closeSync(directory);
  }
}
