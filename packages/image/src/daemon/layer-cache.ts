import type { Digest } from "../digest.ts";
import type { Layer } from "../layer.ts";

/** Keeps the layers of a daemon's image where they can be read one by one (platform.md, `-launch-cache`). */
export interface LayerCache {
  /** The size of a layer's tar in bytes; undefined if the cache does not have it. */
  layerSize(diffId: Digest): Promise<number | undefined>;

  /** Reads a layer to see that it is undamaged. */
  isWhole(diffId: Digest): Promise<boolean>;

  /** The tar of a layer that the cache has, verified. */
  retrieveLayer(diffId: Digest): AsyncIterable<Uint8Array>;

  /** Adds a layer to those of the next image. A failure leaves nothing of it. */
  addLayer(layer: Pick<Layer, "diffId" | "uncompressed">): Promise<void>;

  /** Keeps a layer that the cache has for the next image. */
  reuseLayer(diffId: Digest): Promise<void>;

  /** Makes what was added and kept the cache's contents, at once or not at all. */
  commit(): Promise<void>;

  /** Gives up what was not committed. */
  close(): Promise<void>;
}
