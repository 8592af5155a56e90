import { createHash, randomUUID } from "node:crypto";
import { closeSync, openSync, writeSync } from "node:fs";
import { mkdir, readdir, readFile, realpath, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Digest, digestHex, isDigest } from "@lifecycle/image";
import { gzip, type TarEntry, tarStream } from "@lifecycle/layers";
import { reasonOf } from "@lifecycle/syscall";
import { type LayerFacts, LayerFile } from "./layer-file.ts";

/** After how long what nobody refers to counts as left behind, in milliseconds. */
const abandonedAfter = 60 * 60 * 1000;

/** What an instruction did: a layer, or nothing that a layer could hold. */
export interface CachedStep {
  readonly layer: LayerFile | undefined;
}

/** What is written down for a key. */
interface StepRecord {
  /** Milliseconds since 1970. */
  readonly created: number;
  readonly layer: LayerFacts | null;
}

/** That a cache cannot be written to: its disk may be full, or read-only. */
export class CacheWriteError extends Error {
  override readonly name = "CacheWriteError";
}

/**
 * The layers that instructions made, by what they were made from. `<directory>/blobs/sha256/<hex>` are layers as gzip
 * files, `<directory>/steps/<key>.json` says which step made which. Files are written whole or not at all, and only
 * layers whose digest is right are given out.
 */
export class LayerCache {
  readonly #directory: string;
  readonly #timeToLive: number;

  /**
   * @param directory made when it is first written to
   * @param timeToLive seconds after which a layer is not taken any more
   */
  constructor(directory: string, timeToLive: number) {
    this.#directory = directory;
    this.#timeToLive = timeToLive * 1000;
  }

  /** What the step with a key did; undefined if that is unknown, too old or damaged. */
  async find(key: string): Promise<CachedStep | undefined> {
    const record = await this.#read(key);
    if (record === undefined || record.created + this.#timeToLive <= Date.now()) return undefined;
    if (record.layer === null) return { layer: undefined };
    const layer = new LayerFile(this.#blob(record.layer.digest), record.layer);
    return (await isWhole(layer)) ? { layer } : undefined;
  }

  /**
   * Makes a layer of entries and keeps it.
   * @returns undefined if there are no entries
   * @throws CacheWriteError, or what went wrong in reading the entries
   */
  async keep(entries: readonly TarEntry[]): Promise<LayerFile | undefined> {
    if (entries.length === 0) return undefined;
    const temporary = join(this.#directory, `blobs/.new-${randomUUID()}`);
    try {
      await mkdir(join(this.#directory, "blobs/sha256"), { recursive: true }).catch(notWritten);
      const facts = await writeLayer(temporary, entries);
      const path = this.#blob(facts.digest);
      await rename(temporary, path).catch(notWritten);
      return new LayerFile(path, facts);
    } catch (error) {
      throw await this.#named(error);
    } finally {
      await discard(temporary);
    }
  }

  /**
   * Remembers what the step with a key did.
   * @throws CacheWriteError
   */
  async remember(key: string, { layer }: CachedStep): Promise<void> {
    const facts = layer === undefined ? null : { diffId: layer.diffId, digest: layer.digest, size: layer.size };
    const record: StepRecord = { created: Date.now(), layer: facts };
    const path = this.#step(key);
    const temporary = `${path}.${randomUUID()}`;
    try {
      await mkdir(join(this.#directory, "steps"), { recursive: true }).catch(notWritten);
      await writeFile(temporary, JSON.stringify(record)).catch(notWritten);
      await rename(temporary, path).catch(notWritten);
    } catch (error) {
      throw await this.#named(error);
    } finally {
      await discard(temporary);
    }
  }

  /**
   * Deletes what is too old, and layers that no step refers to. What is young is left alone: another process, in another
   * container, may be about to use it.
   */
  async prune(): Promise<void> {
    const used = new Set<string>();
    const remove = async (path: string): Promise<void> => {
      const found = await stat(path).catch(() => undefined);
      if (found !== undefined && found.mtimeMs + abandonedAfter < Date.now()) await rm(path, { force: true });
    };
    for (const name of await namesIn(join(this.#directory, "steps"))) {
      const record = await this.#read(name.replace(/\.json$/, ""));
      if (record === undefined || record.created + this.#timeToLive <= Date.now()) {
        await remove(join(this.#directory, "steps", name));
      } else if (record.layer !== null) used.add(digestHex(record.layer.digest));
    }
    for (const name of await namesIn(join(this.#directory, "blobs/sha256"))) {
      if (!used.has(name)) await remove(join(this.#directory, "blobs/sha256", name));
    }
    for (const name of await namesIn(join(this.#directory, "blobs"))) {
      if (name.startsWith(".new-")) await remove(join(this.#directory, "blobs", name));
    }
  }

  async #read(key: string): Promise<StepRecord | undefined> {
    try {
      return parseRecord(JSON.parse(await readFile(this.#step(key), "utf8")));
    } catch {
      // Missing or damaged: the step is carried out again.
      return undefined;
    }
  }

  /** An error of ours with the directory by its name, which the file system's own message may not have. */
  async #named(error: unknown): Promise<unknown> {
    if (!(error instanceof CacheWriteError)) return error;
    const directory = await realpath(this.#directory).catch(() => this.#directory);
    return new CacheWriteError(`layers cannot be written to ${directory}: ${error.message}`, { cause: error.cause });
  }

  #step(key: string): string {
    return join(this.#directory, "steps", `${key}.json`);
  }

  #blob(digest: Digest): string {
    return join(this.#directory, "blobs/sha256", digestHex(digest));
  }
}

function parseRecord(value: unknown): StepRecord | undefined {
  if (typeof value !== "object" || value === null || !("created" in value) || !("layer" in value)) return undefined;
  const { created, layer } = value;
  if (typeof created !== "number") return undefined;
  if (layer === null) return { created, layer };
  if (typeof layer !== "object" || !("diffId" in layer) || !("digest" in layer) || !("size" in layer)) return undefined;
  const { diffId, digest, size } = layer;
  if (typeof diffId !== "string" || typeof digest !== "string" || typeof size !== "number") return undefined;
  return isDigest(diffId) && isDigest(digest) ? { created, layer: { diffId, digest, size } } : undefined;
}

async function writeLayer(path: string, entries: readonly TarEntry[]): Promise<LayerFacts> {
  const diffId = createHash("sha256");
  const digest = createHash("sha256");
  let size = 0;
  function* tar(): Generator<Uint8Array> {
    for (const chunk of tarStream(entries)) {
      diffId.update(chunk);
      yield chunk;
    }
  }
  const file = writing(() => openSync(path, "wx", 0o600));
  try {
    for await (const piece of gzip(tar())) {
      digest.update(piece);
      size += piece.length;
      for (let written = 0; written < piece.length; ) {
        written += writing(() => writeSync(file, piece, written));
      }
    }
  } finally {
    closeSync(file);
  }
  return { diffId: `sha256:${diffId.digest("hex")}`, digest: `sha256:${digest.digest("hex")}`, size };
}

function writing<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    return notWritten(error);
  }
}

function notWritten(error: unknown): never {
  throw new CacheWriteError(reasonOf(error), { cause: error });
}

async function discard(temporary: string): Promise<void> {
  // If it cannot be removed, that is no worse than why it could not be written.
  await rm(temporary, { force: true }).catch(() => {});
}

/** Reads a layer once, so that a damaged one is found before anything is made of it. */
async function isWhole(layer: LayerFile): Promise<boolean> {
  try {
    if ((await stat(layer.path)).size !== layer.size) return false;
    for await (const _ of layer.compressed());
    return true;
  } catch {
    return false;
  }
}

async function namesIn(directory: string): Promise<string[]> {
  try {
    return await readdir(directory);
  } catch {
    return [];
  }
}
