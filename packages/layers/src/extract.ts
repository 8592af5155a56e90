import {
  chmodSync,
  chownSync,
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  lchownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readlinkSync,
  type Stats,
  statSync,
  symlinkSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { resolve } from "node:path";
import { reasonOf, systemCode } from "@lifecycle/syscall";
import { type BytePath, childPath, fromLatin1, parentPath, toBytePath, toFileSystem, toText } from "./byte-path.ts";
import { LayerError } from "./errors.ts";
import type { Owner } from "./tar-entry.ts";
import { type EntrySink, type ReadEntry, TarReader } from "./tar-reader.ts";

export interface ExtractOptions {
  /**
   * The directory that entries must lie in, as an absolute path. Entries may also name the directories above it, which
   * are made if they are not there and else left alone.
   */
  readonly within: string;
  /**
   * `within` or a directory above it: this and those above it are trusted to be what they are, symlinks included;
   * nothing below is. By default `within`.
   */
  readonly trusted?: string;
  /** What entries' paths, absolute or not, are relative to; `/` unless given. Part of `within`. */
  readonly root?: string;
  /** Who is to own what is made; by default who runs this. Others need root. The archive's own owners do not count. */
  readonly owner?: Owner;
  /** How many entries there may be; by default 20 million. */
  readonly maxEntries?: number;
  /** How many bytes all files may have together; by default 1 TiB. */
  readonly maxBytes?: number;
  /**
   * The archive is a stranger's: symlinks must stay within `within`, whatever they lead through; setuid, setgid and
   * sticky bits are dropped; and its owner may read what it holds.
   */
  readonly untrusted?: boolean;
}

/**
 * Puts a layer's files where they belong: entry `/layers/vendor_bp/layer/file` at that path. Modes are restored, setuid,
 * setgid and sticky bits too; times and owners are not, as in the reference.
 * Directories that were there keep their modes; files and symlinks that were there are replaced, never written through.
 *
 * What is made before an error stays. Memory stays flat.
 * @param source the layer's tar
 * @throws LayerError `refused` for an entry outside `within`, below a symlink, or of a type that is no file, directory
 *   or link; `corrupt` for a damaged archive; `unwritable` with the path; and what the source throws
 */
export async function extract(source: AsyncIterable<Uint8Array>, options: ExtractOptions): Promise<void> {
  const extractor = new Extractor(options);
  const reader = new TarReader(extractor);
  try {
    for await (const chunk of source) reader.write(chunk);
    reader.finish();
  } finally {
    extractor.close();
  }
  extractor.finishDirectories();
}

/** An entry of an archive of any format, with its contents. */
export interface ArchiveEntry extends ReadEntry {
  contents(): AsyncIterable<Uint8Array>;
}

/** As {@link extract}, for archives that are no tar: of each entry, `size` says how long its contents are. */
export async function extractEntries(source: AsyncIterable<ArchiveEntry>, options: ExtractOptions): Promise<void> {
  const extractor = new Extractor(options);
  try {
    for await (const entry of source) {
      extractor.begin(entry);
      let left = entry.size;
      for await (const chunk of entry.contents()) {
        left -= chunk.length;
        if (left < 0) break;
        extractor.contents(chunk);
      }
      if (left !== 0) throw new LayerError("corrupt", `entry ${toText(entry.name)} is not as long as the archive says`);
      extractor.end();
    }
  } finally {
    extractor.close();
  }
  extractor.finishDirectories();
}

/** A path of a file being written that is not there yet, or not a symlink. */
const createFlags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;

/** How long a path may be for Linux's system calls, in bytes (PATH_MAX without the NUL at its end). */
const longestPath = 4095;

class Extractor implements EntrySink {
  readonly #root: BytePath;
  readonly #within: BytePath;
  readonly #trusted: BytePath;
  readonly #owner: Owner | undefined;
  readonly #maxEntries: number;
  readonly #maxBytes: number;
  readonly #untrusted: boolean;
  #entries = 0;
  #bytes = 0;
  #file: { readonly path: BytePath; readonly descriptor: number; readonly mode: number } | undefined;

  /** Directories below the trusted one that are known to be directories, not symlinks. */
  readonly #directories = new Set<BytePath>();

  /** Directories made here and the modes they get at the end, when nothing has to be put into them any more. */
  readonly #modes = new Map<BytePath, number>();

  constructor(options: ExtractOptions) {
    this.#root = toBytePath(resolve(options.root ?? "/"));
    this.#within = toBytePath(resolve(options.within));
    this.#trusted = toBytePath(resolve(options.trusted ?? options.within));
    this.#owner = options.owner;
    this.#maxEntries = options.maxEntries ?? 20e6;
    this.#maxBytes = options.maxBytes ?? 2 ** 40;
    this.#untrusted = options.untrusted ?? false;
    for (const [inner, outer] of [
      [this.#trusted, this.#root],
      [this.#within, this.#trusted],
    ] as const) {
      if (!isAtOrBelow(inner, outer)) throw new LayerError("invalid", `${toText(inner)} is not in ${toText(outer)}`);
    }
  }

  begin(entry: ReadEntry): void {
    this.#entries++;
    this.#bytes += entry.size;
    if (this.#entries > this.#maxEntries) throw new LayerError("refused", `more than ${this.#maxEntries} entries`);
    if (this.#bytes > this.#maxBytes) throw new LayerError("refused", `more than ${this.#maxBytes} bytes of files`);
    const path = this.#pathOf(entry.name, entry.name);
    if (isAtOrBelow(this.#within, path)) {
      if (entry.type !== "5") throw refused(entry.name, `it stands where ${toText(this.#within)} has to be`);
      this.#makeDirectory(path, entry.mode);
      return;
    }
    if (!isAtOrBelow(path, this.#within)) throw refused(entry.name, `it is not in ${toText(this.#within)}`);
    if (entry.type === "5") {
      this.#makeDirectory(path, this.#untrusted ? (entry.mode & 0o777) | 0o700 : entry.mode);
      return;
    }
    this.#makeParent(path);
    const mode = this.#untrusted ? (entry.mode & 0o777) | 0o600 : entry.mode;
    if (entry.type === "0") this.#file = { path, descriptor: this.#createFile(path), mode };
    else if (entry.type === "1") this.#makeHardLink(path, entry);
    else if (entry.type === "2") this.#makeSymlink(path, entry);
    else throw refused(entry.name, `a layer may hold no entries of type ${JSON.stringify(entry.type)}`);
  }

  contents(bytes: Uint8Array): void {
    const file = this.#file;
    if (file === undefined) return;
    writing(file.path, () => {
      for (let written = 0; written < bytes.length; ) written += writeSync(file.descriptor, bytes, written);
    });
  }

  end(): void {
    const file = this.#file;
    const owner = this.#owner;
    if (file === undefined) return;
    writing(file.path, () => {
      // The owner first: changing it clears setuid and setgid.
      if (owner !== undefined) fchownSync(file.descriptor, owner.uid, owner.gid);
      fchmodSync(file.descriptor, file.mode);
    });
    this.close();
  }

  /** Gives up what is open. */
  close(): void {
    const file = this.#file;
    this.#file = undefined;
    if (file !== undefined) writing(file.path, () => closeSync(file.descriptor));
  }

  /** Gives the directories made here their modes, the innermost first, since a mode can lock out its owner. */
  finishDirectories(): void {
    for (const [path, mode] of [...this.#modes].reverse()) {
      writing(path, () => chmodSync(toFileSystem(path), mode));
    }
  }

  /** The entry's place in the file system. A name with `..` in it is no name that a layer has to have. */
  #pathOf(name: BytePath, entryName: BytePath): BytePath {
    if (name.length > longestPath) throw refused(fromLatin1(entryName.slice(0, 80)), "its path is too long");
    let path = this.#root;
    for (const part of name.split("/")) {
      if (part === "..") throw refused(entryName, "its path has '..' in it");
      if (part.includes("\0")) throw refused(entryName, "its path has a NUL in it");
      if (part !== "" && part !== ".") path = childPath(path, fromLatin1(part));
    }
    return path;
  }

  #makeDirectory(path: BytePath, mode: number): void {
    if (isAtOrBelow(this.#trusted, path)) {
      this.#makeTrusted(path, mode);
      return;
    }
    this.#makeParent(path);
    // Known directories that this archive made get the mode that it has for them; older ones keep theirs.
    if (this.#directories.has(path) ? this.#modes.has(path) : this.#claimDirectory(path)) this.#modes.set(path, mode);
  }

  /** Makes sure that everything above a path is there. */
  #makeParent(path: BytePath): void {
    const parent = parentPath(path);
    if (this.#directories.has(parent)) return;
    if (parent === this.#trusted) this.#makeTrusted(parent, undefined);
    else {
      this.#makeParent(parent);
      if (this.#claimDirectory(parent)) this.#modes.set(parent, 0o777 & ~currentUmask());
    }
    this.#directories.add(parent);
  }

  /** Makes the trusted directory or one above it, unless there is one, perhaps through symlinks. */
  #makeTrusted(path: BytePath, mode: number | undefined): void {
    if (path === this.#root || path === "/") return;
    const found = writing(path, () => statSync(toFileSystem(path), { throwIfNoEntry: false }));
    if (found?.isDirectory()) return;
    this.#makeTrusted(parentPath(path), undefined);
    writing(path, () => mkdirSync(toFileSystem(path)));
    this.#own(path);
    if (mode !== undefined) this.#modes.set(path, mode);
  }

  /** Makes a directory that must not be a symlink. @returns whether it is new */
  #claimDirectory(path: BytePath): boolean {
    const found = this.#find(path);
    if (found !== undefined && !found.isDirectory()) throw refused(path, "there is something else in its place");
    if (found === undefined) {
      writing(path, () => mkdirSync(toFileSystem(path), 0o700));
      this.#own(path);
    }
    this.#directories.add(path);
    return found === undefined;
  }

  #createFile(path: BytePath): number {
    const name = toFileSystem(path);
    return writing(path, () => {
      try {
        return openSync(name, createFlags, 0o600);
      } catch (error) {
        if (systemCode(error) !== "EEXIST") throw error;
        this.#remove(path);
        return openSync(name, createFlags, 0o600);
      }
    });
  }

  #makeSymlink(path: BytePath, entry: ReadEntry): void {
    if (entry.linkName === "" || entry.linkName.includes("\0")) throw refused(entry.name, "it points nowhere");
    if (this.#untrusted) this.#checkInside(path, entry);
    const found = this.#find(path);
    if (found?.isSymbolicLink() && readlinkSync(toFileSystem(path), { encoding: "latin1" }) === entry.linkName) return;
    if (found !== undefined) this.#remove(path);
    writing(path, () => symlinkSync(toFileSystem(entry.linkName), toFileSystem(path)));
    const owner = this.#owner;
    if (owner !== undefined) writing(path, () => lchownSync(toFileSystem(path), owner.uid, owner.gid));
  }

  /**
   * A stranger's symlink may go up only at its start, where the directories above it are known to be directories, and
   * no further than `within`. What comes after leads down, perhaps through symlinks that were held to the same.
   */
  #checkInside(path: BytePath, entry: ReadEntry): void {
    const refuse = (why: string) => refused(entry.name, `it links to ${toText(entry.linkName)}, ${why}`);
    if (entry.linkName.startsWith("/")) throw refuse("an absolute path");
    let place = parentPath(path);
    let down = false;
    for (const part of entry.linkName.split("/")) {
      if (part === "" || part === ".") continue;
      if (part !== "..") down = true;
      else if (down || !isAtOrBelow(parentPath(place), this.#within) || place === this.#within) {
        throw refuse(`which may lead out of ${toText(this.#within)}`);
      } else place = parentPath(place);
    }
  }

  /** A second name of a file in the same archive; what it names must be as safe as the entry itself. */
  #makeHardLink(path: BytePath, entry: ReadEntry): void {
    const target = this.#pathOf(entry.linkName, entry.name);
    if (target === this.#within || !isAtOrBelow(target, this.#within)) {
      throw refused(entry.name, `it links to ${toText(entry.linkName)}, which is not in ${toText(this.#within)}`);
    }
    this.#makeParent(target);
    if (!this.#find(target)?.isFile()) {
      throw refused(entry.name, `it links to ${toText(entry.linkName)}, which is no file`);
    }
    if (target === path) return;
    if (this.#find(path) !== undefined) this.#remove(path);
    writing(path, () => linkSync(toFileSystem(target), toFileSystem(path)));
  }

  #find(path: BytePath): Stats | undefined {
    return writing(path, () => lstatSync(toFileSystem(path), { throwIfNoEntry: false }));
  }

  #remove(path: BytePath): void {
    if (this.#find(path)?.isDirectory()) throw refused(path, "there is a directory in its place");
    writing(path, () => unlinkSync(toFileSystem(path)));
  }

  #own(path: BytePath): void {
    const owner = this.#owner;
    if (owner !== undefined) writing(path, () => chownSync(toFileSystem(path), owner.uid, owner.gid));
  }
}

function isAtOrBelow(path: BytePath, directory: BytePath): boolean {
  return path === directory || directory === "/" || path.startsWith(`${directory}/`);
}

let umask: number | undefined;

function currentUmask(): number {
  umask ??= process.umask();
  return umask;
}

function refused(name: BytePath, why: string): LayerError {
  return new LayerError("refused", `entry ${toText(name)} of the layer is refused: ${why}`);
}

function writing<T>(path: BytePath, write: () => T): T {
  try {
    return write();
  } catch (error) {
    if (error instanceof LayerError) throw error;
    throw new LayerError("unwritable", `${toText(path)} cannot be written: ${reasonOf(error)}`, { cause: error });
  }
}
