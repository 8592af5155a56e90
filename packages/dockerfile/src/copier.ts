import { lstatSync, type Stats } from "node:fs";
import { setImmediate } from "node:timers/promises";
import { type BytePath, childPath, type Owner, toBytePath } from "@lifecycle/layers";
import { InstructionError } from "./error.ts";
import type { IgnoreRules } from "./ignore-file.ts";
import type { RootPaths } from "./root-paths.ts";
import { inTurns, notAFile, type Source, type SourceTree } from "./source-tree.ts";
import { type Attributes, impliedDirectory, TreeWriter } from "./tree-writer.ts";

/** How things are copied. */
export interface CopyOptions {
  readonly owner: Owner;
  /** Permissions of all files and directories; their own unless given. */
  readonly mode: number | undefined;
  /** Names, relative to each source, that are left out. */
  readonly exclude: IgnoreRules;
  readonly signal: AbortSignal;
}

/** Where COPY and ADD put things. */
export interface Destination {
  /** Resolved. */
  readonly path: BytePath;
  /** Whether it is to hold what is copied: it ends with a slash, or is a directory already. */
  readonly isDirectory: boolean;
}

/** Finds a destination: an absolute path, or one relative to the working directory. Symlinks stay in the root. */
export function findDestination(root: RootPaths, argument: string, workingDirectory: string): Destination {
  const absolute = argument.startsWith("/") ? argument : `${workingDirectory}/${argument}`;
  const path = root.resolve(toBytePath(absolute));
  const isDirectory = /(?:^|\/)\.{0,2}$/.test(argument) || root.find(path)?.isDirectory() === true;
  return { path, isDirectory };
}

/** Copies files and directories into a root. */
export class Copier {
  readonly #root: RootPaths;
  readonly #writer: TreeWriter;
  readonly #options: CopyOptions;

  constructor(root: RootPaths, options: CopyOptions) {
    this.#root = root;
    this.#writer = new TreeWriter(root);
    this.#options = options;
  }

  /** The paths written so far. */
  get touched(): ReadonlySet<BytePath> {
    return this.#writer.touched;
  }

  /** Copies a file to a destination or into it, or what a directory holds into it. */
  async copy(source: Source, destination: Destination): Promise<void> {
    if (source.stats.isDirectory()) {
      this.#prepareDirectory(destination.path);
      await this.#copyContents(source.tree, source.path, destination.path, "", new Map());
      return;
    }
    if (!source.stats.isFile()) throw notAFile(source.tree.host(source.path));
    const path = destination.isDirectory ? childPath(destination.path, source.name) : destination.path;
    const { mode, mtimeMs } = source.stats;
    await this.copyFile(source.tree.read(source.path), path, mode & 0o7777, mtimeMs / 1000);
  }

  /**
   * Writes a file, and what is missing above it.
   * @param mtime see `Attributes`
   */
  async copyFile(contents: Iterable<Uint8Array>, path: BytePath, mode: number, mtime?: number): Promise<void> {
    const { owner, mode: forced } = this.#options;
    this.#writer.makeParents(path, { ...impliedDirectory, ...owner });
    if (this.#root.find(path)?.isDirectory() === true) {
      throw new InstructionError("failed", `cannot overwrite directory ${path} with a file`);
    }
    await this.#writeFile(contents, path, { mode: forced ?? mode, mtime, ...owner });
  }

  /** The directory that contents go into. One that was there stays as it is. */
  #prepareDirectory(path: BytePath): void {
    const { owner, mode } = this.#options;
    if (this.#root.find(path) !== undefined) {
      this.#writer.makeDirectories(path, impliedDirectory);
      return;
    }
    this.#writer.makeParents(path, impliedDirectory);
    this.#writer.directory(path, { mode: mode ?? 0o755, ...owner });
  }

  /** @param links the first copy of each inode that has several names */
  async #copyContents(
    tree: SourceTree,
    from: BytePath,
    to: BytePath,
    relative: string,
    links: Map<string, BytePath>,
  ): Promise<void> {
    const { owner, mode, exclude, signal } = this.#options;
    await setImmediate();
    for (const { path, name, stats } of tree.list(from)) {
      signal.throwIfAborted();
      const place = relative === "" ? name : `${relative}/${name}`;
      const target = childPath(to, name);
      const left = exclude.leavesOut(place);
      const attributes = { mode: mode ?? stats.mode & 0o7777, mtime: stats.mtimeMs / 1000, ...owner };
      if (stats.isDirectory()) {
        if (left && !exclude.hasExceptionsBelow(place)) continue;
        this.#writer.directory(target, attributes);
        await this.#copyContents(tree, path, target, place, links);
      } else if (left) {
      } else if (stats.isSymbolicLink()) {
        this.#writer.symlink(target, tree.readLink(path), attributes);
      } else if (stats.isFile()) {
        await this.#copyLinkOrFile(tree, path, target, stats, attributes, links);
      } else if (!stats.isSocket()) throw notAFile(tree.host(path));
    }
  }

  async #copyLinkOrFile(
    tree: SourceTree,
    path: BytePath,
    target: BytePath,
    stats: Stats,
    attributes: Attributes,
    links: Map<string, BytePath>,
  ): Promise<void> {
    if (stats.nlink > 1) {
      const { dev, ino } = lstatSync(tree.file(path), { bigint: true });
      const first = links.get(`${dev}:${ino}`);
      if (first !== undefined) {
        this.#writer.hardLink(target, first);
        return;
      }
      links.set(`${dev}:${ino}`, target);
    }
    await this.#writeFile(tree.read(path), target, attributes);
  }

  async #writeFile(contents: Iterable<Uint8Array>, path: BytePath, attributes: Attributes): Promise<void> {
    const file = this.#writer.file(path, attributes);
    try {
      for await (const chunk of inTurns(contents)) {
        this.#options.signal.throwIfAborted();
        file.write(chunk);
      }
    } catch (error) {
      file.abandon();
      throw error;
    }
    file.close();
  }
}
