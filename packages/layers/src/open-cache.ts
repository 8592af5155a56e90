import type { ImageStore } from "@lifecycle/image";
import type { Cache } from "./cache.ts";
import { CacheDirectory } from "./cache-directory.ts";
import { CacheImage } from "./cache-image.ts";

/**
 * Opens the cache that a platform has given: an image if it names one, else a directory.
 * @param where each empty if not given
 * @param stores.registry where cache images are
 * @param warn told of a cache image that is damaged
 * @param signal ends what a cache directory does; a cache image has its store's
 * @returns undefined if there is none
 * @throws LayerError or ImageError if it cannot be used
 */
export async function openCache(
  where: { readonly cacheImage: string; readonly cacheDir: string },
  stores: { readonly registry: ImageStore },
  warn: (message: string) => void,
  signal: AbortSignal,
): Promise<Cache | undefined> {
  if (where.cacheImage !== "") return CacheImage.open(where.cacheImage, stores.registry, warn);
  if (where.cacheDir !== "") return CacheDirectory.open(where.cacheDir, signal);
  return undefined;
}
