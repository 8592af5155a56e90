import { createHash, type Hash } from "node:crypto";
import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readdirSync,
  readlinkSync,
  readSync,
  type Stats,
} from "node:fs";
import { posix } from "node:path";
import { setImmediate } from "node:timers/promises";
import { type BytePath, childPath, fromLatin1, Glob, toBytePath, toFileSystem, toText } from "@lifecycle/layers";
import { InstructionError } from "./error.ts";
import { type IgnoreRules, noIgnoreRules } from "./ignore-file.ts";
import { RootPaths } from "./root-paths.ts";

/** A source of COPY or ADD, found. */
export interface Source {
  readonly tree: SourceTree;
  /** Its last name as written, which a copy in a directory gets. */
  readonly name: BytePath;
  /** Where it is, symlinks followed. */
  readonly path: BytePath;
  readonly stats: Stats;
}

/** What a directory holds. */
export interface SourceEntry {
  readonly path: BytePath;
  readonly name: BytePath;
  readonly stats: Stats;
}

const chunkSize = 1 << 20;
const openFlags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/** Whether a path is a pattern: a star, question mark or bracket stands in it without a backslash before it. */
export function hasWildcard(path: string): boolean {
  return /[*?[]/.test(path.replace(/\\./gs, ""));
}

/** Where files are copied from: the build context, or the root of another image. Nothing outside of it is reached. */
export class SourceTree {
  readonly #paths: RootPaths;
  readonly #rules: IgnoreRules;
  /** What it is, for messages. */
  readonly what: string;

  /** @param what what it is, for messages */
  constructor(directory: string, what: string, rules: IgnoreRules = noIgnoreRules) {
    this.#paths = new RootPaths(directory);
    this.#rules = rules;
    this.what = what;
  }

  /**
   * What an argument of COPY or ADD means: one source, or for a pattern as many as match, which may be none.
   * @throws InstructionError `refused` for a path that leads out, `failed` if there is nothing at a path
   */
  find(argument: string): Source[] {
    const path = posix.normalize(`./${argument}`).replace(/\/+$/, "");
    if (path === ".." || path.startsWith("../")) {
      throw new InstructionError("refused", `forbidden path outside ${this.what}: ${argument}`);
    }
    const isPattern = hasWildcard(path);
    const found = isPattern ? this.#matching(path) : [this.#source(toBytePath(`/${path}`))];
    if (!isPattern && found.includes(undefined)) {
      throw new InstructionError("failed", `${argument} is not in ${this.what}, or is excluded by its ignore file`);
    }
    return found.filter((source) => source !== undefined);
  }

  /** The names in a directory, in the order of their bytes, without those that are left out. */
  list(directory: BytePath): SourceEntry[] {
    return readdirSync(this.#paths.file(directory), { encoding: "latin1" })
      .sort()
      .map((text) => {
        const name = fromLatin1(text);
        const path = childPath(directory, name);
        return { path, name, stats: this.#paths.find(path) };
      })
      .filter((child): child is SourceEntry => {
        return child.stats !== undefined && this.#isVisible(child.path, child.stats);
      });
  }

  /** What a symlink says, as bytes. */
  readLink(path: BytePath): BytePath {
    return fromLatin1(readlinkSync(this.#paths.file(path), { encoding: "latin1" }));
  }

  /** Where something lies on this machine. */
  file(path: BytePath): string | Buffer {
    return this.#paths.file(path);
  }

  /** As the bytes of an absolute path. */
  host(path: BytePath): BytePath {
    return this.#paths.host(path);
  }

  /**
   * A file's contents, in pieces that are valid until the next one is asked for.
   * @throws InstructionError `refused` for anything but a file
   */
  *read(path: BytePath): Generator<Buffer> {
    yield* readFile(this.#paths.host(path));
  }

  /** Takes what makes two sources equal into a hash: names, types, modes and contents, but neither owners nor times. */
  async hash(source: Source, hash: Hash, signal: AbortSignal): Promise<void> {
    await this.#hash(source.path, source.stats, source.name, hash, signal);
  }

  async #hash(path: BytePath, stats: Stats, name: string, hash: Hash, signal: AbortSignal): Promise<void> {
    const target = stats.isSymbolicLink() ? this.readLink(path) : null;
    hash.update(JSON.stringify([name, stats.mode, stats.isFile() ? stats.size : 0, target]));
    if (stats.isFile()) {
      for await (const chunk of inTurns(this.read(path))) {
        signal.throwIfAborted();
        hash.update(chunk);
      }
    } else if (stats.isDirectory()) {
      await setImmediate();
      for (const child of this.list(path)) await this.#hash(child.path, child.stats, child.name, hash, signal);
      hash.update("\0");
    }
  }

  #source(written: BytePath): Source | undefined {
    const path = this.#paths.resolve(written);
    const stats = this.#paths.find(path);
    if (stats === undefined || !this.#isVisible(path, stats)) return undefined;
    // A symlink can be left out while what it leads to is not.
    const link = this.#paths.resolve(written, { keepLast: true });
    if (link !== path && !this.#isVisible(link, lstatSync(this.#paths.file(link)))) return undefined;
    return { tree: this, name: fromLatin1(posix.basename(written)), path, stats };
  }

  #matching(pattern: string): (Source | undefined)[] {
    const glob = new Glob(pattern);
    const depth = pattern.split("/").length;
    const found: (Source | undefined)[] = [];
    const visit = (directory: BytePath, level: number) => {
      for (const { path, stats } of this.list(directory)) {
        if (glob.matches(path.slice(1) as BytePath)) found.push(this.#source(path));
        else if (stats.isDirectory() && level < depth) visit(path, level + 1);
      }
    };
    visit(toBytePath("/"), 1);
    return found;
  }

  #isVisible(path: BytePath, stats: Stats): boolean {
    const name = toText(path).slice(1);
    if (path === "/" || !this.#rules.leavesOut(name)) return true;
    return stats.isDirectory() && this.#rules.hasExceptionsBelow(name) && this.list(path).length > 0;
  }
}

/** A file's contents; see `SourceTree.read`. */
export function* readFile(path: BytePath): Generator<Buffer> {
  const descriptor = openSync(toFileSystem(path), openFlags);
  try {
    if (!fstatSync(descriptor).isFile()) throw notAFile(path);
    const chunk = Buffer.allocUnsafe(chunkSize);
    for (let length = chunkSize; length > 0; ) {
      length = readSync(descriptor, chunk, 0, chunkSize, null);
      if (length > 0) yield chunk.subarray(0, length);
    }
  } finally {
    closeSync(descriptor);
  }
}

/** Hands pieces on, and lets other work have its turn between the larger ones. */
export async function* inTurns(pieces: Iterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  for (const piece of pieces) {
    yield piece;
    if (piece.length === chunkSize) await setImmediate();
  }
}

/** That something is no file, directory or symlink. */
export function notAFile(path: BytePath): InstructionError {
  return new InstructionError("refused", `${toText(path)} is a pipe, socket or device, which cannot be copied`);
}

/** The hash of all that sources are. */
export async function hashSources(sources: readonly Source[], signal: AbortSignal): Promise<string> {
  const hash = createHash("sha256");
  for (const source of sources) await source.tree.hash(source, hash, signal);
  return hash.digest("hex");
}
