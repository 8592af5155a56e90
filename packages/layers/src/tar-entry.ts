import { lstatSync, readdirSync, readlinkSync, type Stats, statSync } from "node:fs";
import { reasonOf, systemCode } from "@lifecycle/syscall";
import { type BytePath, childPath, fromLatin1, parentPath, toFileSystem, toText } from "./byte-path.ts";
import { LayerError } from "./errors.ts";
import { type EntryType, entryType, type TarHeader } from "./tar-header.ts";

/** One entry of a layer: its header, and for a file where its contents come from. */
export interface TarEntry {
  readonly header: TarHeader;
  /** The file to read `header.size` bytes from. */
  readonly file?: BytePath;
}

/** A user and a group, by number. */
export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** A path and what the file system says of it. */
export interface PathInfo {
  readonly path: BytePath;
  readonly stats: Stats;
}

/** What the file system says of a path, a symlink not followed. */
export function inspect(path: BytePath): PathInfo {
  return { path, stats: reading(path, () => lstatSync(toFileSystem(path))) };
}

/**
 * The entry that describes a path under its own name.
 * @param owner who is to own it; by default who owns it on disk
 * @returns undefined for a socket, which no archive can hold
 */
export function entryOf({ path, stats }: PathInfo, owner: Owner = stats): TarEntry | undefined {
  const type = typeOf(stats);
  if (type === undefined) return undefined;
  const isDevice = type === entryType.characterDevice || type === entryType.blockDevice;
  const header: TarHeader = {
    name: path,
    type,
    mode: stats.mode & 0o7777,
    uid: owner.uid,
    gid: owner.gid,
    size: type === entryType.file ? stats.size : 0,
    linkName: type === entryType.symlink ? readLink(path) : "",
    deviceMajor: isDevice ? deviceMajor(stats.rdev) : 0,
    deviceMinor: isDevice ? deviceMinor(stats.rdev) : 0,
  };
  return type === entryType.file ? { header, file: path } : { header };
}

/**
 * Everything at and below a path, a directory before what it holds, each directory's names in byte order.
 * Symlinks are not followed.
 */
export function* walk(root: BytePath): Generator<PathInfo> {
  const first = inspect(root);
  yield first;
  if (!first.stats.isDirectory()) return;
  const open = [{ directory: root, names: namesIn(root), next: 0 }];
  for (let level = open.at(-1); level !== undefined; level = open.at(-1)) {
    const name = level.names[level.next++];
    if (name === undefined) {
      open.pop();
      continue;
    }
    const found = inspect(childPath(level.directory, name));
    yield found;
    if (found.stats.isDirectory()) open.push({ directory: found.path, names: namesIn(found.path), next: 0 });
  }
}

/**
 * The same as `walk`, but ordered by the bytes of the whole path, its slashes among them: `a`, `a-b`, `a/c`. That is the
 * order of application layers.
 */
export function* walkByPath(root: BytePath): Generator<PathInfo> {
  const first = inspect(root);
  yield first;
  if (!first.stats.isDirectory()) return;
  // A directory counts twice: as an entry by its name, and by its name and a slash for all that it holds.
  type Step = { readonly key: string; readonly path: BytePath; readonly isContent: boolean };
  const stepsIn = (directory: BytePath): Step[] =>
    namesIn(directory).map((name) => ({ key: name, path: childPath(directory, name), isContent: false }));
  const open = [stepsIn(root).reverse()];
  for (let level = open.at(-1); level !== undefined; level = open.at(-1)) {
    const step = level.pop();
    if (step === undefined) {
      open.pop();
    } else if (step.isContent) {
      open.push(stepsIn(step.path).reverse());
    } else {
      const found = inspect(step.path);
      yield found;
      if (!found.stats.isDirectory()) continue;
      const key = `${step.key}/`;
      let position = level.length;
      while (position > 0 && (level[position - 1]?.key ?? "") < key) position--;
      level.splice(position, 0, { key, path: step.path, isContent: true });
    }
  }
}

/** The directories above a path, outermost first, without `/`; a symlink among them counts as what it points to. */
export function parentsOf(path: BytePath): PathInfo[] {
  const parents: PathInfo[] = [];
  for (let parent = parentPath(path); parent !== "/"; parent = parentPath(parent)) {
    const directory = parent;
    parents.unshift({ path: directory, stats: reading(directory, () => statSync(toFileSystem(directory))) });
  }
  return parents;
}

function namesIn(directory: BytePath): BytePath[] {
  const names = reading(directory, () => readdirSync(toFileSystem(directory), { encoding: "latin1" }));
  return names.sort().map(fromLatin1);
}

function readLink(path: BytePath): string {
  return reading(path, () => readlinkSync(toFileSystem(path), { encoding: "latin1" }));
}

function typeOf(stats: Stats): EntryType | undefined {
  if (stats.isFile()) return entryType.file;
  if (stats.isDirectory()) return entryType.directory;
  if (stats.isSymbolicLink()) return entryType.symlink;
  if (stats.isCharacterDevice()) return entryType.characterDevice;
  if (stats.isBlockDevice()) return entryType.blockDevice;
  if (stats.isFIFO()) return entryType.fifo;
  return undefined;
}

/** The halves of Linux's device number (makedev(3)); the bits past the lowest 32 are in use on no known system. */
function deviceMajor(device: number): number {
  return (device >>> 8) & 0xfff;
}

function deviceMinor(device: number): number {
  return (device & 0xff) | ((device >>> 12) & 0xfff00);
}

function reading<T>(path: BytePath, read: () => T): T {
  try {
    return read();
  } catch (error) {
    const gone = systemCode(error) === "ENOENT";
    const what = gone ? "is not there (removed while it was read?)" : `cannot be read: ${reasonOf(error)}`;
    throw new LayerError(gone ? "changed" : "unreadable", `${toText(path)} ${what}`, { cause: error });
  }
}
