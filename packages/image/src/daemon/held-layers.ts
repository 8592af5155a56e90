import type { Layer } from "../layer.ts";
import type { DaemonKind } from "./connection.ts";
import { DaemonLayer } from "./daemon-image.ts";

/**
 * Which layers of an image to be, by index, the daemon has, so that they need not travel.
 * - Podman knows layers by their diff ID: all that are in one of its images.
 * - Docker's classic store knows them by their chain: those above nothing but the same layers as in one of its images.
 * - containerd's image store knows blobs by their digest, which a load archive of uncompressed layers does not name: none.
 */
export function heldLayers(layers: readonly Layer[], kind: DaemonKind): ReadonlySet<number> {
  const held = new Set<number>();
  if (kind === "containerd") return held;
  const images = new Set(layers.filter((layer) => layer instanceof DaemonLayer).map(({ image }) => image));
  let same = [...images];
  for (const [index, layer] of layers.entries()) {
    same = same.filter((image) => image.layers[index]?.diffId === layer.diffId);
    if (kind === "podman" ? layer instanceof DaemonLayer : same.length > 0) held.add(index);
  }
  return held;
}
