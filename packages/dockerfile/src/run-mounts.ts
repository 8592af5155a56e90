import { createHash } from "node:crypto";
import { chmodSync, chownSync, existsSync, mkdirSync, readFileSync, rmdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { type BytePath, parentPath, toBytePath, toText } from "@lifecycle/layers";
import { reasonOf } from "@lifecycle/syscall";
import { moveAside } from "./aside.ts";
import { Copier } from "./copier.ts";
import { InstructionError } from "./error.ts";
import { noIgnoreRules } from "./ignore-file.ts";
import type { RunMount } from "./instruction.ts";
import type { RootPaths } from "./root-paths.ts";
import type { SourceTree } from "./source-tree.ts";
import { transferTree } from "./transfer-tree.ts";
import { rootOwner, TreeWriter } from "./tree-writer.ts";
import type { Undo } from "./undo.ts";

/** What `--mount` of RUN can draw from. */
export interface MountSources {
  /** Where caches are kept between builds; without it they last as long as the RUN. */
  readonly caches: string | undefined;
  /** Files with secrets by id. */
  readonly secrets: Readonly<Record<string, string>>;
  /** The build context, or the image that `from` names. */
  readonly tree: (from: string | undefined) => Promise<SourceTree>;
  /** Stops the copying of a cache. */
  readonly signal: AbortSignal;
  readonly warn: (message: string) => void;
}

/**
 * Puts what RUN mounts into its places for as long as it runs. Since mounting takes a privilege that containers do not
 * have, things are moved there and back; what stood in their places lies aside meanwhile.
 */
export class RunMounts {
  readonly #root: RootPaths;
  readonly #sources: MountSources;
  readonly #undo: Undo;
  readonly #paths: BytePath[] = [];
  /** Variables with secrets. */
  readonly env: Record<string, string> = {};

  /** @param undo is told how to leave no trace of them */
  constructor(root: RootPaths, sources: MountSources, undo: Undo) {
    this.#root = root;
    this.#sources = sources;
    this.#undo = undo;
  }

  /** Where something is that does not belong to the image. */
  get paths(): readonly BytePath[] {
    return this.#paths;
  }

  /** @param mount its target is an absolute path, unless it is empty */
  async enter(mount: RunMount): Promise<void> {
    if (mount.type === "ssh") {
      if (mount.required) throw new InstructionError("failed", "no SSH agent can be mounted here");
      return;
    }
    if (mount.type === "secret") {
      this.#enterSecret(mount);
      return;
    }
    const path = this.#makeRoom(mount.target);
    if (mount.type === "bind") await this.#copy(mount, path);
    else if (mount.type === "tmpfs") this.#makeDirectory(path, 0o1777, mount);
    else await this.#enterCache(mount, path);
  }

  #enterSecret(mount: RunMount): void {
    const file = this.#sources.secrets[mount.id];
    if (file === undefined) {
      if (mount.required) throw new InstructionError("failed", `secret ${mount.id} is required and was not given`);
      return;
    }
    if (mount.env !== undefined) this.env[mount.env] = readFileSync(file, "utf8");
    if (mount.target === "") return;
    const path = this.#makeRoom(mount.target);
    const { uid, gid, mode = 0o400 } = mount;
    const writer = new TreeWriter(this.#root).file(path, { uid, gid, mode });
    writer.write(readFileSync(file));
    writer.close();
  }

  async #copy(mount: RunMount, path: BytePath): Promise<void> {
    const tree = await this.#sources.tree(mount.from);
    const copier = new Copier(this.#root, {
      owner: mount.from === undefined ? rootOwner : undefined,
      chmod: undefined,
      exclude: noIgnoreRules,
      signal: this.#sources.signal,
    });
    for (const source of tree.find(mount.source)) await copier.copy(source, { path, isDirectory: false });
  }

  async #enterCache(mount: RunMount, path: BytePath): Promise<void> {
    const { caches } = this.#sources;
    if (caches === undefined) {
      await this.#startCache(mount, path);
      return;
    }
    // One that is to belong to someone else, or to begin with something else, is another one.
    const { id, uid, gid, mode, from, source } = mount;
    const identity = JSON.stringify([id, uid, gid, mode, from, source]);
    const kept = toBytePath(join(caches, createHash("sha256").update(identity).digest("hex")));
    if (!(await this.#fill(path, kept, mount))) await this.#startCache(mount, path);
    this.#undo.later(path, () => this.#keep(path, kept, mount));
  }

  /** Fills a new cache with what it is to begin with, which is nothing unless `from` says so. */
  async #startCache(mount: RunMount, path: BytePath): Promise<void> {
    if (mount.from === undefined) this.#makeDirectory(path, mount.mode ?? 0o755, mount);
    else await this.#copy(mount, path);
  }

  /** Fills a mount with what is kept. @returns false if nothing is, or if it cannot be had: then the cache is empty */
  async #fill(path: BytePath, kept: BytePath, { target }: RunMount): Promise<boolean> {
    const { signal, warn } = this.#sources;
    if (!existsSync(kept)) return false;
    try {
      await transferTree(kept, this.#root.host(path), signal);
      return true;
    } catch (error) {
      signal.throwIfAborted();
      warn(`The cache at ${target} is empty, since it cannot be copied there: ${reasonOf(error)}`);
      return false;
    }
  }

  /** Keeps what a mount holds, for the next RUN. */
  async #keep(path: BytePath, kept: BytePath, { target }: RunMount): Promise<void> {
    const { caches, signal, warn } = this.#sources;
    if (caches === undefined || this.#root.find(path)?.isDirectory() !== true) return;
    // In haste, what it was filled from stays, if that was a copy.
    if (signal.aborted && existsSync(kept)) return;
    try {
      mkdirSync(caches, { recursive: true });
      rmSync(kept, { recursive: true, force: true });
      await transferTree(this.#root.host(path), kept, signal);
    } catch (error) {
      // Another build brought its own back at the same time, or the disk is full: it is lost, as caches may be.
      if (!signal.aborted) warn(`The cache at ${target} was not kept: ${reasonOf(error)}`);
    }
  }

  #makeDirectory(path: BytePath, mode: number, { uid, gid }: RunMount): void {
    mkdirSync(this.#root.file(path));
    chownSync(this.#root.file(path), uid, gid);
    chmodSync(this.#root.file(path), mode);
  }

  /** Moves what is at a path aside and makes what is missing above it. */
  #makeRoom(target: string): BytePath {
    const path = this.#root.resolve(toBytePath(target));
    if (path === "/") throw new InstructionError("refused", "nothing can be mounted at /");
    const missing: BytePath[] = [];
    for (let parent = parentPath(path); this.#root.find(parent) === undefined; parent = parentPath(parent)) {
      missing.push(parent);
    }
    for (const parent of missing.reverse()) {
      mkdirSync(this.#root.file(parent), 0o755);
      this.#undo.later(parent, () => this.#removeEmpty(parent));
    }
    this.#paths.push(path);
    try {
      moveAside(this.#root, path, this.#undo);
    } catch (error) {
      throw new InstructionError("failed", `nothing can be mounted at ${toText(path)}: ${reasonOf(error)}`);
    }
    return path;
  }

  #removeEmpty(path: BytePath): void {
    try {
      rmdirSync(this.#root.file(path));
    } catch {
      // The program put something there, or took it away.
    }
  }
}
