import { DaemonImage } from "./daemon/daemon-image.ts";
import type { Image } from "./image.ts";

/**
 * The tars of an image's layers, base layer first, verified; each to be read before the next is asked for. A daemon gives
 * out layers only all together, so they are taken as they come as long as that is in order, and one by one otherwise.
 */
export async function* readLayers(image: Image): AsyncGenerator<AsyncIterable<Uint8Array>> {
  const left = [...image.layers];
  if (image instanceof DaemonImage) {
    for await (const { diffId, contents } of image.savedLayers()) {
      if (diffId !== left[0]?.diffId) continue;
      yield contents;
      // The same layer right above itself changes nothing, and is given out once.
      while (diffId === left[0]?.diffId) left.shift();
    }
  }
  for (const layer of left) yield layer.uncompressed();
}
