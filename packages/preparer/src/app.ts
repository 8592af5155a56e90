import { existsSync, mkdirSync, readdirSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
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
  /** Brings them there. */
  place(): void;
}

/**
 * Opens the application: a directory, used in place or copied to `appOutDir`; or an archive, unpacked into `appOutDir`,
 * by default /workspace. That directory has to be empty but for the archive itself, which then goes.
 *
 * @throws LifecycleError with exit code 114 for an archive that is refused, 110 otherwise
 */
export async function openApp(
  { appDir, appOutDir }: { readonly appDir: string; readonly appOutDir: string },
  limits: ArchiveLimits,
  transaction: Transaction,
): Promise<App> {
  recover(appDir.replace(/\/$/, ""));
  const stats = statSync(appDir, { throwIfNoEntry: false });
  if (stats === undefined) throw failure("prepareError", `application ${appDir} is not there`);
  if (stats.isDirectory() && (appOutDir === "" || appOutDir === appDir)) {
    return { dir: appDir, finalDir: appDir, source: undefined, place: () => {} };
  }
  const finalDir = appOutDir || DEFAULTS.appDir;
  recover(finalDir);
  const archive = dirname(appDir) === finalDir && stats.isFile() ? basename(appDir) : undefined;
  const others = existsSync(finalDir) ? readdirSync(finalDir).filter((name) => name !== archive) : [];
  if (others.length > 0) {
    const remedy = "name an empty directory with -app-out";
    throw failure("prepareError", `${finalDir} is not empty (${others[0]}); ${remedy}`);
  }
  const scratch = transaction.scratchIn(finalDir);
  const dir = join(scratch, "app");
  mkdirSync(dir);
  try {
    if (stats.isDirectory()) copyTree(appDir, dir, limits, finalDir);
    else await unpackArchive(appDir, dir, limits);
  } catch (error) {
    throw explain(`application ${appDir}`, error);
  }
  const place = (): void => {
    if (archive !== undefined) transaction.remove(toBytePath(appDir), scratch);
    for (const name of readdirSync(toFileSystem(toBytePath(dir)), { encoding: "latin1" })) {
      const [from, to] = [dir, finalDir].map((each) => childPath(toBytePath(each), fromLatin1(name)));
      if (from !== undefined && to !== undefined) transaction.move(from, to);
    }
  };
  return { dir, finalDir, source: appDir, place };
}
