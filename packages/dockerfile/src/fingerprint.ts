import { createHash, type Hash } from "node:crypto";
import { closeSync, openSync, readlinkSync, readSync, type Stats } from "node:fs";
import { type BytePath, toBytePath } from "@lifecycle/layers";
import type { RootFileSystem } from "./root-file-system.ts";
import type { RootPaths } from "./root-paths.ts";
import { walkRoot } from "./walk-root.ts";

/**
 * What says which packages are installed. It is read, since reproducible images give all files the same time, and two
 * versions of a file can have the same size.
 */
const packageDatabases = [
  "/etc/os-release",
  "/lib/apk/db/installed",
  "/var/lib/dpkg/status",
  "/var/lib/rpm/Packages",
  "/var/lib/rpm/rpmdb.sqlite",
  "/usr/lib/sysimage/rpm/rpmdb.sqlite",
].map(toBytePath);

/** What containers of one image do not have in common. */
const ofContainers = ["/.dockerenv", "/run", "/tmp", "/var/run", "/var/tmp"];

const chunkSize = 1 << 16;

/**
 * Tells roots apart when nobody says which image they are of: a digest over names, types, modes, owners, sizes and times
 * of what they hold, and over the contents of their package databases. Containers of the same image have the same.
 *
 * @param passedOver further absolute paths that containers of one image do not have in common
 * @returns 64 hex digits
 */
export async function fingerprint(
  { paths, ignored }: RootFileSystem,
  passedOver: readonly string[],
  signal?: AbortSignal,
): Promise<string> {
  const left = new Set([...ofContainers, ...passedOver].map((path) => paths.resolve(toBytePath(path))));
  const hash = createHash("sha256");
  const visit = (path: BytePath, stats: Stats): boolean => {
    if (left.has(path)) return false;
    hash.update(describe(paths, path, stats));
    return true;
  };
  await walkRoot(paths, ignored, visit, { sorted: true, signal });
  for (const path of packageDatabases) addContents(hash, paths, paths.resolve(path));
  return hash.digest("hex");
}

/** A directory's time and size say only that something was mounted in it; runtimes make symlinks anew. */
function describe(paths: RootPaths, path: BytePath, stats: Stats): string {
  const { mode, uid, gid, size, mtimeMs, rdev } = stats;
  const contents = stats.isSymbolicLink()
    ? [readlinkSync(paths.file(path), { encoding: "latin1" })]
    : stats.isDirectory()
      ? []
      : [size, mtimeMs, rdev];
  return `${JSON.stringify([path, mode, uid, gid, ...contents])}\n`;
}

function addContents(hash: Hash, paths: RootPaths, path: BytePath): void {
  if (paths.find(path)?.isFile() !== true) return;
  const file = openSync(paths.file(path), "r");
  try {
    const chunk = Buffer.allocUnsafe(chunkSize);
    for (let length = readSync(file, chunk); length > 0; length = readSync(file, chunk)) {
      hash.update(chunk.subarray(0, length));
    }
  } finally {
    closeSync(file);
  }
}
