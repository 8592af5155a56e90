import { createHash, randomUUID } from "node:crypto";
import { createReadStream, existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from "node:fs";
import { constants, copyFile, link, mkdir, open, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { isDigest, type Layer } from "@lifecycle/image";
import {
  CACHE_METADATA_LABEL,
  type CacheMetadata,
  formatCacheMetadata,
  parseCacheMetadata,
} from "@lifecycle/spec-types";
import { reasonOf, systemCode } from "@lifecycle/syscall";
import { type Cache, emptyMetadata } from "./cache.ts";
import { CacheReadError, LayerError } from "./errors.ts";

/** After how long what a build has left behind in `staging` counts as abandoned, in milliseconds. */
const abandonedAfter = 24 * 60 * 60 * 1000;

/** How much is read at once, in bytes. */
const chunkSize = 1 << 20;

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/**
 * A cache in a directory, which the reference lifecycle can read and write too: `committed/` holds one file
 * `<diff id>.tar` per layer and `io.buildpacks.lifecycle.cache.metadata`.
 *
 * Each build gathers its layers in a directory of its own in `staging/`; committing puts that in the place of
 * `committed/`, which is `committed-backup/` for the moment between two renames. Whenever a build is killed, the next
 * one finds either the old or the new contents whole. Builds at the same time do not disturb each other, and the last
 * one to commit wins; no lock is needed, which one killed in a container could not give back.
 */
export class CacheDirectory implements Cache {
  readonly name: string;
  readonly #committed: string;
  readonly #backup: string;
  readonly #staging: string;
  readonly #signal: AbortSignal | undefined;
  #isStaged = false;
  #isCommitted = false;

  private constructor(directory: string, signal: AbortSignal | undefined) {
    this.#signal = signal;
    this.name = directory;
    this.#committed = join(directory, "committed");
    this.#backup = join(directory, "committed-backup");
    this.#staging = join(directory, "staging", randomUUID());
  }

  /**
   * Opens a cache, which may be empty, and puts right what a killed build has left.
   * @param directory must be there
   * @param signal ends what the cache does with its reason; nothing is committed after it
   * @throws LayerError `unwritable` if it is not there or cannot be written
   */
  static open(directory: string, signal?: AbortSignal): CacheDirectory {
    const cache = new CacheDirectory(directory, signal);
    try {
      statSync(directory);
      removeAbandoned(join(directory, "staging"));
      cache.#recover();
    } catch (error) {
      throw new LayerError("unwritable", `cache directory '${directory}': ${reasonOf(error)}`, { cause: error });
    }
    return cache;
  }

  exists(): boolean {
    return existsSync(this.#committed);
  }

  async metadata(): Promise<CacheMetadata> {
    const path = join(this.#committed, CACHE_METADATA_LABEL);
    let text: string;
    try {
      text = await readFile(path, "utf8");
    } catch (error) {
      if (systemCode(error) === "ENOENT") return emptyMetadata;
      throw new LayerError("unreadable", `opening metadata file '${path}': ${reasonOf(error)}`, { cause: error });
    }
    try {
      return parseCacheMetadata(text);
    } catch {
      // As good as none: the layers are made anew.
      return emptyMetadata;
    }
  }

  async setMetadata(metadata: CacheMetadata): Promise<void> {
    await this.#stage();
    const path = join(this.#staging, CACHE_METADATA_LABEL);
    try {
      await writeFile(path, `${formatCacheMetadata(metadata)}\n`);
    } catch (error) {
      throw new LayerError("unwritable", `creating metadata file '${path}': ${reasonOf(error)}`, { cause: error });
    }
  }

  /** The size of a layer's tar in bytes; undefined if the cache does not have it. */
  async layerSize(diffId: string): Promise<number | undefined> {
    checkDiffId(diffId);
    return statSync(this.#pathOf(diffId), { throwIfNoEntry: false })?.size;
  }

  async addLayer(layer: Pick<Layer, "diffId" | "uncompressed">): Promise<void> {
    await this.#stage();
    const path = layerPath(this.#staging, layer.diffId);
    if (existsSync(path)) return;
    const unfinished = `${path}.unfinished`;
    try {
      const file = await open(unfinished, "w");
      try {
        for await (const chunk of layer.uncompressed()) {
          this.#signal?.throwIfAborted();
          await file.writeFile(chunk);
        }
      } finally {
        await file.close();
      }
      await rename(unfinished, path);
    } catch (error) {
      await rm(unfinished, { force: true });
      if (systemCode(error) === undefined) throw error;
      throw new LayerError("unwritable", `caching layer (${layer.diffId}): ${reasonOf(error)}`, { cause: error });
    }
  }

  async reuseLayer(diffId: string): Promise<void> {
    checkDiffId(diffId);
    await this.#stage();
    const from = layerPath(this.#committed, diffId);
    const to = layerPath(this.#staging, diffId);
    try {
      await link(from, to).catch(async (error: unknown) => {
        const code = systemCode(error) ?? "";
        if (code === "EEXIST") return;
        // Some file systems have no hard links, or no more for this file.
        if (!["EPERM", "ENOTSUP", "ENOSYS", "EMLINK", "EXDEV"].includes(code)) throw error;
        await copyFile(from, to, constants.COPYFILE_FICLONE);
      });
    } catch (error) {
      throw readError(error, diffId);
    }
  }

  async verifyLayer(diffId: string): Promise<void> {
    for await (const _ of this.retrieveLayer(diffId)) {
      // Reading verifies.
    }
  }

  async *retrieveLayer(diffId: string): AsyncGenerator<Uint8Array> {
    checkDiffId(diffId);
    const hash = createHash("sha256");
    const file = createReadStream(this.#pathOf(diffId), { highWaterMark: chunkSize });
    try {
      for await (const chunk of file as AsyncIterable<Buffer>) {
        this.#signal?.throwIfAborted();
        hash.update(chunk);
        yield chunk;
      }
    } catch (error) {
      this.#signal?.throwIfAborted();
      throw readError(error, diffId);
    } finally {
      file.destroy();
    }
    const found = `sha256:${hash.digest("hex")}`;
    if (found !== diffId) {
      const what = `expected layer contents to have SHA '${diffId}'; found '${found}'`;
      throw new CacheReadError("corrupt", what);
    }
  }

  async commit(): Promise<void> {
    this.#signal?.throwIfAborted();
    await this.#stage();
    // Another build's commit can come in between any two steps; then it was the last but one.
    for (let attempt = 0; attempt < 20; attempt++) {
      if ((await this.#moveAway()) && (await this.#moveIn())) {
        this.#isCommitted = true;
        await this.#removeBackup();
        return;
      }
      await setTimeout(10 * attempt);
    }
    throw new LayerError("unwritable", `committing cache '${this.name}': other builds commit to it all the time`);
  }

  async close(): Promise<void> {
    if (this.#isStaged && !this.#isCommitted) await rm(this.#staging, { recursive: true, force: true });
    this.#isStaged = false;
  }

  /** Puts `committed/` back if a build was killed between the renames of its commit. */
  #recover(): void {
    if (existsSync(this.#committed)) {
      const discarded = this.#discardBackup();
      if (discarded !== undefined) rmSync(discarded, { recursive: true, force: true });
      return;
    }
    try {
      renameSync(this.#backup, this.#committed);
    } catch (error) {
      if (!isTaken(error) && systemCode(error) !== "ENOENT") throw error;
      mkdirSync(this.#committed, { recursive: true });
    }
  }

  /** Where a layer is read: what was added counts, and is good where what is there already may be damaged. */
  #pathOf(diffId: string): string {
    const staged = layerPath(this.#staging, diffId);
    return existsSync(staged) ? staged : layerPath(this.#committed, diffId);
  }

  async #stage(): Promise<void> {
    if (this.#isCommitted) throw new LayerError("invalid", "cache cannot be modified after commit");
    if (this.#isStaged) return;
    try {
      await mkdir(this.#staging, { recursive: true });
    } catch (error) {
      const what = `initializing staging directory '${this.#staging}': ${reasonOf(error)}`;
      throw new LayerError("unwritable", what, { cause: error });
    }
    this.#isStaged = true;
  }

  /** @returns false if that has to be tried again */
  async #moveAway(): Promise<boolean> {
    try {
      await rename(this.#committed, this.#backup);
    } catch (error) {
      if (systemCode(error) === "ENOENT") return true;
      if (!isTaken(error)) throw commitError("backing up cache", error);
      await this.#removeBackup();
      return false;
    }
    return true;
  }

  async #removeBackup(): Promise<void> {
    const discarded = this.#discardBackup();
    if (discarded !== undefined) await rm(discarded, { recursive: true, force: true });
  }

  /**
   * Takes the backup out of its place in one step: another build's may come there while this one's is being removed.
   * @returns where it is to be removed; undefined if there is none
   */
  #discardBackup(): string | undefined {
    const discarded = join(this.name, "staging", randomUUID());
    mkdirSync(dirname(discarded), { recursive: true });
    try {
      renameSync(this.#backup, discarded);
      return discarded;
    } catch (error) {
      if (systemCode(error) !== "ENOENT") throw error;
      return undefined;
    }
  }

  /** @returns false if that has to be tried again, from moving away on */
  async #moveIn(): Promise<boolean> {
    try {
      await rename(this.#staging, this.#committed);
    } catch (error) {
      if (isTaken(error)) return false;
      await rename(this.#backup, this.#committed).catch(() => {});
      throw commitError("committing cache", error);
    }
    return true;
  }
}

/**
 * Removes what killed builds have left in `staging/`: of the reference anything, since it has nothing else there; of
 * this lifecycle what is too old to be in use.
 */
function removeAbandoned(staging: string): void {
  mkdirSync(staging, { recursive: true });
  for (const name of readdirSync(staging)) {
    const path = join(staging, name);
    const age = Date.now() - (statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0);
    if (!uuid.test(name) || age > abandonedAfter) rmSync(path, { recursive: true, force: true });
  }
}

function layerPath(directory: string, diffId: string): string {
  return join(directory, `${diffId}.tar`);
}

/** Metadata come from a file; no name in them leads anywhere but to a layer. */
function checkDiffId(diffId: string): void {
  if (!isDigest(diffId)) throw new CacheReadError("missing", `failed to find cache layer with SHA '${diffId}'`);
}

function readError(error: unknown, diffId: string): LayerError {
  const code = systemCode(error);
  if (code === "ENOENT") {
    return new CacheReadError("missing", `failed to find cache layer with SHA '${diffId}'`, { cause: error });
  }
  if (code === "EACCES" || code === "EPERM") {
    const what = `failed to read cache layer with SHA '${diffId}' due to insufficient permissions`;
    return new CacheReadError("unreadable", what, { cause: error });
  }
  const what = `failed to get cache layer with SHA '${diffId}': ${reasonOf(error)}`;
  return new LayerError("unreadable", what, { cause: error });
}

function commitError(what: string, error: unknown): LayerError {
  return new LayerError("unwritable", `${what}: ${reasonOf(error)}`, { cause: error });
}

/** Whether a directory with something in it stands where another was to be moved. */
function isTaken(error: unknown): boolean {
  const code = systemCode(error);
  return code === "ENOTEMPTY" || code === "EEXIST";
}
