import {
  chmodSync,
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  futimesSync,
  lchownSync,
  linkSync,
  lutimesSync,
  mkdirSync,
  openSync,
  rmSync,
  symlinkSync,
  writeSync,
} from "node:fs";
import { type BytePath, type Owner, parentPath, toFileSystem, toText } from "@lifecycle/layers";
import { systemCode } from "@lifecycle/syscall";
import { InstructionError } from "./error.ts";
import { makeNode } from "./make-node.ts";
import type { RootPaths } from "./root-paths.ts";
import { writeXattrs, type Xattrs } from "./xattrs.ts";

/** Who owns something and who may do what with it. */
export interface Attributes {
  /** Permission, setuid, setgid and sticky bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** When it was changed, in seconds since 1970; now unless given. Directories do not get it. */
  readonly mtime?: number | undefined;
  readonly xattrs?: Xattrs;
}

/** Who owns what has no other owner named. */
export const rootOwner: Owner = { uid: 0, gid: 0 };

/** A directory that is made because something else is to lie in it. */
export const impliedDirectory: Attributes = { mode: 0o755, ...rootOwner };

/** What stands at a path: a device or a pipe. */
export interface SpecialFile {
  readonly kind: "character" | "block" | "fifo";
  readonly major: number;
  readonly minor: number;
}

const createFlags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
const mountedFlags = constants.O_WRONLY | constants.O_TRUNC | constants.O_NOFOLLOW;

/**
 * Writes files to a root. All paths must be resolved but for their last name: what stands there is replaced, never
 * written through; only a directory stays if it is to be one.
 */
export class TreeWriter {
  readonly #root: RootPaths;
  /** The paths that were written, parents that had to be made included. */
  readonly touched = new Set<BytePath>();

  constructor(root: RootPaths) {
    this.#root = root;
  }

  /** Makes what is missing above a path. */
  makeParents(path: BytePath, attributes: Attributes): void {
    this.makeDirectories(parentPath(path), attributes);
  }

  /**
   * Makes a directory and what is missing above it; one that is there stays as it is.
   * @throws InstructionError `failed` if something else stands there
   */
  makeDirectories(path: BytePath, attributes: Attributes): void {
    if (path === "/") return;
    const found = this.#root.find(path);
    if (found?.isDirectory() === true) return;
    if (found !== undefined) throw new InstructionError("failed", `${toText(path)} is not a directory`);
    this.makeDirectories(parentPath(path), attributes);
    this.directory(path, attributes);
  }

  /** A directory with just these attributes, also if it was there. */
  directory(path: BytePath, attributes: Attributes): void {
    const file = this.#root.file(path);
    if (this.#root.find(path)?.isDirectory() !== true) {
      this.remove(path);
      mkdirSync(file, 0o700);
    }
    lchownSync(file, attributes.uid, attributes.gid);
    chmodSync(file, attributes.mode);
    this.#finish(path, attributes);
  }

  /** A file that is filled by `FileWriter.write` and gets its attributes by `FileWriter.close`. */
  file(path: BytePath, attributes: Attributes): FileWriter {
    const descriptor = this.#openFile(path);
    return new FileWriter(descriptor, () => {
      // The owner first: changing it clears setuid, setgid and capabilities.
      fchownSync(descriptor, attributes.uid, attributes.gid);
      fchmodSync(descriptor, attributes.mode);
      if (attributes.mtime !== undefined) futimesSync(descriptor, attributes.mtime, attributes.mtime);
      this.#finish(path, attributes);
    });
  }

  /** Opens a new file, or, since nothing can be put in a mounted file's place, that one. */
  #openFile(path: BytePath): number {
    const file = this.#root.file(path);
    try {
      return openSync(file, createFlags, 0o600);
    } catch (error) {
      if (systemCode(error) !== "EEXIST") throw error;
    }
    try {
      this.remove(path);
    } catch (error) {
      if (systemCode(error) !== "EBUSY") throw error;
      return openSync(file, mountedFlags);
    }
    return openSync(file, createFlags, 0o600);
  }

  /** A symlink; its target is bytes, one character each. */
  symlink(path: BytePath, target: BytePath, attributes: Attributes): void {
    this.remove(path);
    symlinkSync(toFileSystem(target), this.#root.file(path));
    if (attributes.mtime !== undefined) lutimesSync(this.#root.file(path), attributes.mtime, attributes.mtime);
    lchownSync(this.#root.file(path), attributes.uid, attributes.gid);
    this.#finish(path, attributes);
  }

  /**
   * A second name of a file.
   * @throws InstructionError `refused` if there is no such file
   */
  hardLink(path: BytePath, target: BytePath): void {
    const found = this.#root.find(target);
    if (found === undefined || found.isDirectory()) {
      throw new InstructionError("refused", `${toText(path)} is a link to ${toText(target)}, which is no file`);
    }
    if (path === target) return;
    this.remove(path);
    linkSync(this.#root.file(target), this.#root.file(path));
    this.touched.add(path).add(target);
  }

  special(path: BytePath, file: SpecialFile, attributes: Attributes): void {
    this.remove(path);
    makeNode(this.#root.host(path), file);
    lchownSync(this.#root.file(path), attributes.uid, attributes.gid);
    chmodSync(this.#root.file(path), attributes.mode);
    if (attributes.mtime !== undefined) lutimesSync(this.#root.file(path), attributes.mtime, attributes.mtime);
    this.#finish(path, attributes);
  }

  /** Removes whatever stands at a path, and all that it holds. */
  remove(path: BytePath): void {
    const found = this.#root.find(path);
    if (found === undefined) return;
    rmSync(this.#root.file(path), { recursive: found.isDirectory(), force: true });
    this.touched.add(path);
  }

  #finish(path: BytePath, { xattrs }: Attributes): void {
    if (xattrs !== undefined && xattrs.size > 0) writeXattrs(this.#root.host(path), xattrs);
    this.touched.add(path);
  }
}

/** A file that is being written. */
export class FileWriter {
  readonly #descriptor: number;
  readonly #finish: () => void;

  constructor(descriptor: number, finish: () => void) {
    this.#descriptor = descriptor;
    this.#finish = finish;
  }

  write(bytes: Uint8Array): void {
    for (let written = 0; written < bytes.length; ) written += writeSync(this.#descriptor, bytes, written);
  }

  close(): void {
    try {
      this.#finish();
    } finally {
      closeSync(this.#descriptor);
    }
  }

  /** Gives up a file that could not be filled. */
  abandon(): void {
    closeSync(this.#descriptor);
  }
}
