import { existsSync, mkdirSync, readdirSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { childPath, fromLatin1, toBytePath, toFileSystem } from "@lifecycle/layers";
import { DEFAULTS } from "@lifecycle/spec-types";
import { type ArchiveLimits, unpackArchive } from "./archive.ts";
import { copyTree } from "./copy-tree.ts";
import { explain, failure } from "./errors.ts";
import { recover, type Transaction } from "./transaction.ts";

/** The application's files on their way to where they are built. */
export interface App {
  /** Where the files are now. */
  readonly dir: string;
  /** Where they will be. */
  readonly finalDir: string;
  /** What they came from, if that is not `finalDir`. */
  readonly source: string | undefined;
  /** A scratch directory in the file system of `dir`, if the files are not where they will be yet. */
  readonly scratch: string | undefined;
  /** Brings them there. */
  place(): void;
}

/**
 * Opens the application: a directory, used in place or copied to `appOutDir`; or an archive, unpacked into `appOutDir`.
 * Without one, that is /workspace if it is there and empty but for the archive, which then goes; else a directory takes
 * the archive's place, so that the same `-app` holds for later phases.
 *
 * @throws LifecycleError with exit code 114 for an archive that is refused, 110 otherwise
 */
export async function openApp(
  { appDir, appOutDir }: { readonly appDir: string; readonly appOutDir: string },
  limits: ArchiveLimits,
  transaction: Transaction,
): Promise<App> {
  for (const directory of [appDir, dirname(appDir)]) recover(directory);
  const stats = statSync(appDir, { throwIfNoEntry: false });
  if (stats === undefined) throw failure("prepareError", `application ${appDir} is not there`);
  if (stats.isDirectory() && (appOutDir === "" || appOutDir === appDir)) {
    return { dir: appDir, finalDir: appDir, source: undefined, scratch: undefined, place: () => {} };
  }
  const finalDir = appOutDir || placeForArchive(appDir);
  const replaces = finalDir === appDir;
  if (!replaces) {
    recover(finalDir);
    const [other] = entriesBeside(appDir, finalDir);
    if (other !== undefined) {
      const remedy = "name an empty directory with -app-out";
      throw failure("prepareError", `${finalDir} is not empty (${other}); ${remedy}`);
    }
  }
  const scratch = transaction.scratchIn(replaces ? dirname(appDir) : finalDir);
  const dir = join(scratch, "app");
  mkdirSync(dir);
  try {
    if (stats.isDirectory()) copyTree(appDir, dir, limits, finalDir);
    else await unpackArchive(appDir, dir, limits);
  } catch (error) {
    throw explain(`application ${appDir}`, error);
  }
  const place = (): void => {
    const [from, to] = [toBytePath(dir), toBytePath(finalDir)];
    if (stats.isFile() && dirname(appDir) === (replaces ? dirname(finalDir) : finalDir)) {
      transaction.remove(toBytePath(appDir), scratch);
    }
    if (replaces) {
      transaction.move(from, to);
      return;
    }
    for (const name of readdirSync(toFileSystem(from), { encoding: "latin1" })) {
      transaction.move(childPath(from, fromLatin1(name)), childPath(to, fromLatin1(name)));
    }
  };
  return { dir, finalDir, source: appDir, scratch, place };
}

/** Where an archive goes if nothing is said. */
export function placeForArchive(archive: string): string {
  const usual = DEFAULTS.appDir;
  return existsSync(usual) && entriesBeside(archive, usual).length === 0 ? usual : archive;
}

/** What is in a directory beside the archive. */
function entriesBeside(archive: string, directory: string): string[] {
  const names = existsSync(directory) ? readdirSync(directory) : [];
  return names.filter((name) => join(directory, name) !== archive);
}
