import { lstatSync, type Stats } from "node:fs";
import { setImmediate } from "node:timers/promises";
import { type BytePath, childPath, type Owner, toBytePath } from "@lifecycle/layers";
import type { ModeChange } from "./chmod-flag.ts";
import { InstructionError } from "./error.ts";
import { type IgnoreRules, ignoreRules } from "./ignore-file.ts";
import type { RootPaths } from "./root-paths.ts";
import { inTurns, notAFile, type Source, type SourceEntry, type SourceTree } from "./source-tree.ts";
import { type Attributes, impliedDirectory, rootOwner, TreeWriter } from "./tree-writer.ts";
import { readXattrs } from "./xattrs.ts";

/** How things are copied. */
export interface CopyOptions {
  /** Who owns all that is copied; whoever owned it, extended attributes included, unless given. */
  readonly owner: Owner | undefined;
  /** What is made of the permissions of all files and directories; they keep their own unless given. */
  readonly chmod: ModeChange | undefined;
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
    await this.#placeFile(source.tree.read(source.path), path, this.#attributesOf(source.tree, source));
  }

  /**
   * Copies what matches a pattern in a directory, with the directories that lead there.
   * @returns whether anything did
   */
  async copyMatching(source: Source, pattern: string, destination: Destination): Promise<boolean> {
    const matching = ignoreRules([pattern]);
    const links = new Map<string, BytePath>();
    let found = false;
    const visit = async (from: BytePath, to: BytePath, relative: string, makeParents: () => void) => {
      for (const child of source.tree.list(from)) {
        const place = relative === "" ? child.name : `${relative}/${child.name}`;
        const target = childPath(to, child.name);
        if (matching.leavesOut(place)) {
          found = true;
          if (this.#isLeftOut(source.tree, child, place)) continue;
          makeParents();
          await this.#copyEntry(source.tree, child, target, place, links);
        } else if (child.stats.isDirectory()) {
          let made = false;
          await visit(child.path, target, place, () => {
            if (made) return;
            makeParents();
            this.#keepParent(source.tree, child, target);
            made = true;
          });
        }
      }
    };
    this.#prepareDirectory(destination.path);
    await visit(source.path, destination.path, "", () => {});
    return found;
  }

  /** A directory that leads to what matches. One that was there keeps its owner, but gets the source's mode. */
  #keepParent(tree: SourceTree, entry: SourceEntry, target: BytePath): void {
    const before = this.#root.find(target);
    const kept = before?.isDirectory() === true ? { uid: before.uid, gid: before.gid } : undefined;
    const attributes = kept ? { mode: entry.stats.mode & 0o7777, ...kept } : this.#attributesOf(tree, entry);
    this.#writer.directory(target, attributes);
  }

  /** Writes a file that comes from nowhere else, and what is missing above it. @param mode unless `chmod` says otherwise */
  async writeNew(contents: Iterable<Uint8Array>, path: BytePath, mode: number): Promise<void> {
    const { owner = rootOwner, chmod } = this.#options;
    await this.#placeFile(contents, path, { mode: chmod?.apply(mode, false) ?? mode, ...owner });
  }

  async #placeFile(contents: Iterable<Uint8Array>, path: BytePath, attributes: Attributes): Promise<void> {
    this.#writer.makeParents(path, { ...this.#implied(), ...this.#options.owner });
    if (this.#root.find(path)?.isDirectory() === true) {
      throw new InstructionError("failed", `cannot overwrite directory ${path} with a file`);
    }
    await this.#writeFile(contents, path, attributes);
  }

  /** A directory that has to be made above what is copied. */
  #implied(): Attributes {
    return { ...impliedDirectory, mode: this.#options.chmod?.forParents ?? impliedDirectory.mode };
  }

  #attributesOf(tree: SourceTree, { path, stats }: Pick<SourceEntry, "path" | "stats">): Attributes {
    const { owner, chmod } = this.#options;
    const mode = stats.mode & 0o7777;
    const changed = chmod?.apply(mode, stats.isDirectory()) ?? mode;
    const kept = { mode: changed, mtime: stats.mtimeMs / 1000 };
    if (owner !== undefined) return { ...kept, ...owner };
    return { ...kept, uid: stats.uid, gid: stats.gid, xattrs: readXattrs(tree.host(path)) };
  }

  /** The directory that contents go into. One that was there stays as it is. */
  #prepareDirectory(path: BytePath): void {
    if (this.#root.find(path) !== undefined) {
      this.#writer.makeDirectories(path, impliedDirectory);
      return;
    }
    this.#writer.makeParents(path, this.#implied());
    this.#writer.directory(path, { ...this.#implied(), ...this.#options.owner });
  }

  /** @param links the first copy of each inode that has several names */
  async #copyContents(
    tree: SourceTree,
    from: BytePath,
    to: BytePath,
    relative: string,
    links: Map<string, BytePath>,
  ): Promise<void> {
    await setImmediate();
    for (const child of tree.list(from)) {
      const place = relative === "" ? child.name : `${relative}/${child.name}`;
      await this.#copyEntry(tree, child, childPath(to, child.name), place, links);
    }
  }

  /** @param place its path below the source, for what is to be left out */
  async #copyEntry(
    tree: SourceTree,
    { path, stats }: SourceEntry,
    target: BytePath,
    place: string,
    links: Map<string, BytePath>,
  ): Promise<void> {
    this.#options.signal.throwIfAborted();
    if (this.#isLeftOut(tree, { path, stats }, place)) return;
    const attributes = this.#attributesOf(tree, { path, stats });
    if (stats.isDirectory()) {
      this.#writer.directory(target, attributes);
      await this.#copyContents(tree, path, target, place, links);
    } else if (stats.isSymbolicLink()) {
      this.#writer.symlink(target, tree.readLink(path), attributes);
    } else if (stats.isFile()) {
      await this.#copyLinkOrFile(tree, path, target, stats, attributes, links);
    } else if (!stats.isSocket()) throw notAFile(tree.host(path));
  }

  /** Whether `--exclude` leaves something out, with all that it holds. */
  #isLeftOut(tree: SourceTree, { path, stats }: Pick<SourceEntry, "path" | "stats">, place: string): boolean {
    const { exclude } = this.#options;
    if (!exclude.leavesOut(place)) return false;
    if (!stats.isDirectory() || !exclude.hasExceptionsBelow(place)) return true;
    return tree.list(path).every((child) => this.#isLeftOut(tree, child, `${place}/${child.name}`));
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
