import {
  type Image,
  ImageDraft,
  ImageError,
  type ImageStore,
  isDigest,
  type Layer,
  linuxPlatform,
  parseReference,
} from "@lifecycle/image";
import {
  CACHE_METADATA_LABEL,
  type CacheMetadata,
  formatCacheMetadata,
  parseCacheMetadata,
} from "@lifecycle/spec-types";
import { type Cache, emptyMetadata } from "./cache.ts";
import { CacheReadError, LayerError } from "./errors.ts";
import { NewLayer } from "./new-layer.ts";

/** A cache in an image: its layers are the cache's, and a label holds the metadata (platform.md, "exporter"). */
export class CacheImage implements Cache {
  readonly name: string;
  readonly #store: ImageStore;
  readonly #previous: Image | undefined;
  readonly #draft: ImageDraft;
  #isCommitted = false;

  private constructor(name: string, store: ImageStore, previous: Image | undefined) {
    this.name = name;
    this.#store = store;
    this.#previous = previous;
    const base = { platform: linuxPlatform() };
    this.#draft = new ImageDraft(previous === undefined ? base : { ...base, previousImage: previous });
  }

  /**
   * Opens a cache image, which need not be there yet. One that may not be read is as good as none; so is one that is
   * damaged, which the next commit replaces.
   * @param warn told of a damaged one
   * @throws ImageError if the name is no reference, or its registry cannot be reached
   */
  static async open(name: string, store: ImageStore, warn: (message: string) => void): Promise<CacheImage> {
    parseReference(name);
    const previous = await store.open(name).catch((error: unknown) => {
      if (!(error instanceof ImageError)) throw error;
      if (error.code === "unauthorized") return undefined;
      if (!["corrupt", "invalid", "not-found"].includes(error.code)) throw error;
      warn(`Ignoring cache image '${name}': ${error.message}`);
      return undefined;
    });
    return new CacheImage(name, store, previous);
  }

  exists(): boolean {
    return this.#previous !== undefined;
  }

  async metadata(): Promise<CacheMetadata> {
    const label = this.#previous?.labels.get(CACHE_METADATA_LABEL);
    if (label === undefined) return emptyMetadata;
    try {
      return parseCacheMetadata(label);
    } catch {
      // As good as none: the layers are made anew.
      return emptyMetadata;
    }
  }

  async setMetadata(metadata: CacheMetadata): Promise<void> {
    this.#checkOpen();
    this.#draft.setLabel(CACHE_METADATA_LABEL, formatCacheMetadata(metadata));
  }

  async addLayer(layer: Layer): Promise<void> {
    this.#checkOpen();
    if (!this.#has(layer.diffId)) this.#draft.addLayer(layer);
  }

  async reuseLayer(diffId: string): Promise<void> {
    this.#checkOpen();
    if (!isDigest(diffId) || !this.#draft.canReuse(diffId)) throw missing(diffId);
    if (!this.#has(diffId)) this.#draft.reuseLayer(diffId);
  }

  /**
   * Makes sure that the store has the layer, which a registry may have lost; its bytes are verified when they are read,
   * which the store does.
   */
  async verifyLayer(diffId: string): Promise<void> {
    if ((await this.#find(diffId).isHeld?.()) === false) throw missing(diffId);
  }

  async *retrieveLayer(diffId: string): AsyncGenerator<Uint8Array> {
    const layer = this.#find(diffId);
    try {
      yield* layer.uncompressed();
    } catch (error) {
      if (!(error instanceof ImageError)) throw error;
      if (error.code === "not-found") throw missing(diffId, error);
      if (error.code === "corrupt") throw new CacheReadError("corrupt", error.message, { cause: error });
      throw error;
    }
  }

  async commit(): Promise<void> {
    this.#checkOpen();
    // Not every registry takes an image without layers.
    if (this.#draft.layers.length === 0) this.#draft.addLayer(await NewLayer.of("empty", "", () => []));
    const saved = await this.#store.save(this.#draft, [this.name]);
    for (const failure of saved.failures.values()) throw failure;
    this.#isCommitted = true;
  }

  async close(): Promise<void> {
    // Nothing of it is anywhere before it is committed.
  }

  #find(diffId: string): Layer {
    const layer = this.#previous?.layers.find((each) => each.diffId === diffId);
    if (layer === undefined) throw missing(diffId);
    return layer;
  }

  #has(diffId: string): boolean {
    return this.#draft.layers.some((layer) => layer.diffId === diffId);
  }

  #checkOpen(): void {
    if (this.#isCommitted) throw new LayerError("invalid", "cache cannot be modified after commit");
  }
}

function missing(diffId: string, cause?: unknown): CacheReadError {
  return new CacheReadError("missing", `failed to find cache layer with SHA '${diffId}'`, { cause });
}
