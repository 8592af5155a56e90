import { createHash, type Hash } from "node:crypto";
import { closeSync, openSync, readdirSync, readlinkSync, readSync, type Stats } from "node:fs";
import { setImmediate } from "node:timers/promises";
import { type BytePath, childPath, fromLatin1, toBytePath } from "@lifecycle/layers";
import type { RootFileSystem } from "./root-file-system.ts";
import type { RootPaths } from "./root-paths.ts";

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

/** How many paths are looked at before other work gets its turn. */
const turnLength = 5000;

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
  ignored.refresh();
  const open: BytePath[] = [toBytePath("/")];
  let looks = 0;
  for (let directory = open.pop(); directory !== undefined; directory = open.pop()) {
    for (const name of readdirSync(paths.file(directory), { encoding: "latin1" }).sort()) {
      if (++looks % turnLength === 0) await setImmediate();
      signal?.throwIfAborted();
      const path = childPath(directory, fromLatin1(name));
      const stats = left.has(path) || ignored.begins(path) ? undefined : paths.find(path);
      if (stats === undefined) continue;
      hash.update(describe(paths, path, stats));
      if (stats.isDirectory()) open.push(path);
    }
  }
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
