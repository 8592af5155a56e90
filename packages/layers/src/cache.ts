import type { Layer } from "@lifecycle/image";
import type { CacheMetadata } from "@lifecycle/spec-types";

/**
 * The layers that one build leaves for the next, and what it knew of them. What is added is kept apart from what is
 * there until `commit`; reading gives what was there at first.
 */
export interface Cache {
  /** Where it is: a directory or an image's name. */
  readonly name: string;

  /** Whether it was ever committed, or can be. */
  exists(): boolean;

  /** What the last commit said of its layers; nothing if there was none or it cannot be understood. */
  metadata(): Promise<CacheMetadata>;

  /** Sets what the next commit says of its layers. */
  setMetadata(metadata: CacheMetadata): Promise<void>;

  /** Adds a layer. A failure leaves nothing of it. */
  addLayer(layer: Layer): Promise<void>;

  /**
   * Keeps a layer for the next commit, unread.
   * @throws CacheReadError if the cache does not have it
   */
  reuseLayer(diffId: string): Promise<void>;

  /**
   * Makes sure that a layer is there and has the digest it should have.
   * @throws CacheReadError if not
   */
  verifyLayer(diffId: string): Promise<void>;

  /**
   * The tar of a layer. Ends with a CacheReadError if there is none, it cannot be read, or its digest is not `diffId`.
   */
  retrieveLayer(diffId: string): AsyncIterable<Uint8Array>;

  /** Makes what was added and reused the cache's contents, at once or not at all. After it nothing can be added. */
  commit(): Promise<void>;

  /** Gives up what was not committed. */
  close(): Promise<void>;
}

/** What a cache is that was never committed. */
export const emptyMetadata: CacheMetadata = { sbom: { sha: "" }, buildpacks: [] };
