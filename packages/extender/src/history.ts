import type { History } from "@lifecycle/image";

/**
 * One entry for each layer: the image's own where they can be told apart from those that made no layer, else empty ones.
 */
export function layerHistory(history: readonly History[] | undefined, layerCount: number): readonly History[] {
  const entries = (history ?? []).filter(({ empty_layer }) => empty_layer !== true);
  return entries.length === layerCount ? entries : Array.from({ length: layerCount }, () => ({}));
}
