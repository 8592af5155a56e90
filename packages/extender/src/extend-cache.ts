import {
  closeSync,
  constants,
  existsSync,
  fchmodSync,
  fstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { LayerCache } from "@lifecycle/dockerfile";
import { type Logger, messageOf } from "@lifecycle/phase";

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
  const opened: number[] = [];
  const place = (name: string): string => {
    if (kept !== undefined) {
      const path = join(kept, "cache", name);
      try {
        mkdirSync(dirname(path), { recursive: true });
        if (!existsSync(path)) mkdirSync(path, { mode: 0o700 });
        const directory = openPrivate(path);
        opened.push(directory);
        // Whoever can write to what is above it cannot put another one in its place.
        return `/proc/self/fd/${directory}`;
      } catch (error) {
        logger.warn(`Not using the cache at ${path}: ${messageOf(error)}; remove it to have a new one`);
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
      for (const directory of opened) closeSync(directory);
      rmSync(workDirectory, { recursive: true, force: true });
    },
  };
}

/**
 * Opens a directory, and makes sure that nobody but this user can look into it.
 *
 * @throws Error that says why it cannot be trusted
 */
function openPrivate(path: string): number {
  const directory = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  try {
    const { uid, mode } = fstatSync(directory);
    if (uid !== process.getuid?.()) throw new Error(`it belongs to user ${uid}`);
    if ((mode & 0o022) !== 0) throw new Error("others can write to it");
    fchmodSync(directory, 0o700);
    return directory;
  } catch (error) {
    closeSync(directory);
    throw error;
  }
}
