import { type BigIntStats, lstatSync, type Stats } from "node:fs";
import { setTimeout } from "node:timers/promises";
import {
  type BytePath,
  childPath,
  entryOf,
  entryType,
  fromLatin1,
  parentPath,
  type TarEntry,
  toText,
} from "@lifecycle/layers";
import { InstructionError } from "./error.ts";
import type { IgnoredPaths } from "./ignored-paths.ts";
import type { RootPaths } from "./root-paths.ts";
import { walkRoot } from "./walk-root.ts";
import { readXattrs, type Xattrs } from "./xattrs.ts";

/** What is remembered of a path. A file whose inode and change time are these is the same, down to its last byte. */
interface Known {
  readonly inode: number;
  readonly device: number;
  /** Milliseconds since 1970, with fractions. The kernel sets it at every change and nobody else can. */
  readonly changed: number;
  /** Type and mode. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Of a directory, whose change time tells of what it holds too, and of an empty file. */
  readonly xattrs: Xattrs | undefined;
  /** Of an empty file: how many names it has. */
  readonly links: number | undefined;
}

/** Milliseconds that the kernel's clock for change times may lag behind. */
const clockStep = 20;

const typeMask = 0o170000;
const directoryType = 0o040000;

/**
 * Remembers what a root looks like and says what changed since. Only names and inodes are read for that; what a file
 * holds is read when its layer is made.
 */
export class Snapshot {
  readonly #root: RootPaths;
  readonly #ignored: IgnoredPaths;
  #known = new Map<BytePath, Known>();
  #taken = false;

  constructor(root: RootPaths, ignored: IgnoredPaths) {
    this.#root = root;
    this.#ignored = ignored;
  }

  /** Whether there is anything to compare with yet. */
  get taken(): boolean {
    return this.#taken;
  }

  /** Remembers the root as it is, unless an earlier look at it is remembered. */
  async take(signal?: AbortSignal): Promise<void> {
    if (this.#taken) return;
    this.#known = await this.#scan(signal);
    this.#taken = true;
    await settle();
  }

  /**
   * What changed since the last look, as the entries of a layer: each directory before what it holds, and above each
   * change the directories that lead to it, so that they keep their owners and modes wherever the layer is unpacked.
   * @param passedOver resolved paths that were covered meanwhile: no change of them and of what they hold counts
   */
  async changes(signal?: AbortSignal, passedOver: ReadonlySet<BytePath> = new Set()): Promise<TarEntry[]> {
    const before = this.#known;
    const now = await this.#scan(signal);
    this.#known = now;
    const changed = new Set<BytePath>();
    const whiteouts = new Map<BytePath, BytePath>();
    const isCovered = (path: BytePath) => passedOver.has(path) || isBelowAny(path, passedOver);
    const replaced = this.#replacedDirectories(before, now, isCovered);
    for (const [path, known] of now) {
      if (this.#ignored.begins(path) || (!isBelowAny(path, replaced) && isSame(before.get(path), known))) continue;
      if (!isCovered(path)) changed.add(path);
    }
    for (const path of replaced) {
      changed.add(path);
      whiteouts.set(childPath(path, fromLatin1(".wh..wh..opq")), path);
    }
    for (const path of before.keys()) {
      if (now.has(path) || isCovered(path)) continue;
      const parent = parentPath(path);
      const isTopmost = parent === "/" || isDirectory(now.get(parent));
      if (!isTopmost || isBelowAny(path, replaced)) continue;
      whiteouts.set(childPath(parent, fromLatin1(`.wh.${path.slice(path.lastIndexOf("/") + 1)}`)), parent);
    }
    const entries = this.#entries(changed, whiteouts);
    await settle();
    return entries;
  }

  /**
   * The same for known paths alone: all that an instruction touched, without a look at the rest of the root. If nothing
   * is remembered yet, all of them count as changed.
   */
  async changesOf(touched: Iterable<BytePath>): Promise<TarEntry[]> {
    const changed = new Set<BytePath>();
    for (const path of touched) {
      if (this.#ignored.contain(path)) continue;
      const stats = this.#root.find(path);
      if (stats === undefined) continue;
      const known = this.#look(path, stats);
      const before = this.#known.get(path);
      // What stands in a directory's place takes all that the directory held with it.
      if (isDirectory(before) && !stats.isDirectory()) this.#forget(path);
      if (!isSame(before, known)) changed.add(path);
      if (this.#taken) this.#known.set(path, known);
    }
    const entries = this.#entries(changed, new Map());
    if (this.#taken) await settle();
    return entries;
  }

  #forget(directory: BytePath): void {
    for (const path of this.#known.keys()) {
      if (path.startsWith(`${directory}/`)) this.#known.delete(path);
    }
  }

  async #scan(signal: AbortSignal | undefined): Promise<Map<BytePath, Known>> {
    const found = new Map<BytePath, Known>();
    const visit = (path: BytePath, stats: Stats): boolean => {
      found.set(path, this.#look(path, stats));
      return true;
    };
    await walkRoot(this.#root, this.#ignored, visit, { signal });
    return found;
  }

  #look(path: BytePath, stats: Stats): Known {
    const isEmpty = stats.isFile() && stats.size === 0;
    return {
      inode: stats.ino,
      device: stats.dev,
      changed: stats.ctimeMs,
      mode: stats.mode,
      uid: stats.uid,
      gid: stats.gid,
      xattrs: isEmpty || stats.isDirectory() ? readXattrs(this.#root.host(path)) : undefined,
      links: isEmpty ? stats.nlink : undefined,
    };
  }

  /**
   * Directories of which nothing is left but the name: something that they held is gone, and the rest is not what it
   * was. Whether it is still the same directory is not asked, since inode numbers do not tell: file systems use them
   * again, and overlays change them. One that was only emptied is the same: what a newer base image puts there has to
   * show after a rebase.
   */
  #replacedDirectories(
    before: Map<BytePath, Known>,
    now: Map<BytePath, Known>,
    isCovered: (path: BytePath) => boolean,
  ): Set<BytePath> {
    const lost = new Set<BytePath>();
    const surviving = new Set<BytePath>();
    const inner = new Set<BytePath>();
    for (const [path, old] of before) {
      const parent = parentPath(path);
      inner.add(parent);
      const known = now.get(path);
      if (known === undefined) lost.add(parent);
      else if (!isDirectory(old) && (isSame(old, known) || isCovered(path))) surviving.add(parent);
    }
    // A directory that was empty and still is there survives, and so does what holds a survivor.
    for (const [path, old] of before) {
      if (isDirectory(old) && !inner.has(path) && isDirectory(now.get(path))) surviving.add(parentPath(path));
    }
    for (const path of [...surviving]) {
      for (let parent = parentPath(path); parent !== "/" && !surviving.has(parent); parent = parentPath(parent)) {
        surviving.add(parent);
      }
    }
    const emptied = new Set<BytePath>();
    const replaced = new Set<BytePath>();
    for (const path of lost) {
      const known = now.get(path);
      if (surviving.has(path) || known === undefined || !isDirectory(known)) continue;
      (isSame(before.get(path), known) ? emptied : replaced).add(path);
    }
    if (emptied.size > 0) {
      for (const path of now.keys()) {
        const parent = parentPath(path);
        if (emptied.has(parent)) replaced.add(parent);
      }
    }
    return replaced;
  }

  #entries(changed: ReadonlySet<BytePath>, whiteouts: ReadonlyMap<BytePath, BytePath>): TarEntry[] {
    const paths = new Set<BytePath>([...changed, ...whiteouts.keys()]);
    for (const path of [...paths]) {
      for (let parent = parentPath(path); parent !== "/" && !paths.has(parent); parent = parentPath(parent)) {
        paths.add(parent);
      }
    }
    const links = new Map<string, BytePath>();
    const entries: TarEntry[] = [];
    for (const path of [...paths].sort(byPath)) {
      const entry = whiteouts.has(path) ? whiteoutEntry(path) : this.#entry(path, links);
      if (entry !== undefined) entries.push(entry);
    }
    return entries;
  }

  /** @param links the first path of each inode that has several */
  #entry(path: BytePath, links: Map<string, BytePath>): TarEntry | undefined {
    if (path.includes("/.wh.")) {
      throw new InstructionError("refused", `${toText(path)}: no layer can hold a file whose name begins with '.wh.'`);
    }
    const host = this.#root.host(path);
    const stats = lstatSync(this.#root.file(path));
    const made = entryOf({ path: host, stats });
    if (made === undefined) return undefined;
    const name = relative(path);
    if (stats.isFile() && stats.nlink > 1) {
      const identity = identityOf(lstatSync(this.#root.file(path), { bigint: true }));
      const first = links.get(identity);
      if (first !== undefined) {
        return { header: { ...made.header, name, type: entryType.hardLink, size: 0, linkName: relative(first) } };
      }
      links.set(identity, path);
    }
    const xattrs = readXattrs(host);
    return { ...made, header: { ...made.header, name, ...(xattrs.size > 0 ? { xattrs } : {}) } };
  }
}

/** Waits until a change would get another change time than what was just seen. */
async function settle(): Promise<void> {
  await setTimeout(clockStep);
}

function isDirectory(known: Known | undefined): boolean {
  return known !== undefined && (known.mode & typeMask) === directoryType;
}

function isSame(before: Known | undefined, now: Known): boolean {
  if (before === undefined) return false;
  const isUntouched = before.inode === now.inode && before.changed === now.changed && before.device === now.device;
  if (isUntouched && !isDirectory(now)) return true;
  // Of a directory its attributes are all there is. Lock files are opened for writing and stay as they were: empty.
  const tells = isDirectory(now) || (now.links !== undefined && before.links === now.links);
  const attributes = before.mode === now.mode && before.uid === now.uid && before.gid === now.gid;
  return tells && attributes && sameXattrs(before.xattrs, now.xattrs);
}

function sameXattrs(before: Xattrs | undefined, now: Xattrs | undefined): boolean {
  if (before?.size !== now?.size) return false;
  return [...(before ?? [])].every(([name, value]) => now?.get(name) === value);
}

function isBelowAny(path: BytePath, directories: ReadonlySet<BytePath>): boolean {
  if (directories.size === 0) return false;
  for (let parent = parentPath(path); parent !== "/"; parent = parentPath(parent)) {
    if (directories.has(parent)) return true;
  }
  return false;
}

/** The order in which each directory comes right before what it holds. */
function byPath(a: BytePath, b: BytePath): number {
  const [left, right] = [a.replaceAll("/", "\0"), b.replaceAll("/", "\0")];
  return left < right ? -1 : left > right ? 1 : 0;
}

function whiteoutEntry(path: BytePath): TarEntry {
  const name = relative(path);
  const header = { name, type: entryType.file, mode: 0o644, uid: 0, gid: 0, size: 0, linkName: "" };
  return { header: { ...header, deviceMajor: 0, deviceMinor: 0 } };
}

/** Layers of images name their entries without a leading slash. */
function relative(path: BytePath): BytePath {
  return path.slice(1) as BytePath;
}

function identityOf({ dev, ino }: BigIntStats): string {
  return `${dev}:${ino}`;
}
