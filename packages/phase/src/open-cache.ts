import { type Cache, openCache as open } from "@lifecycle/layers";
import { failedTo } from "./errors.ts";
import type { ImageAccess } from "./image-access.ts";
import type { Inputs } from "./inputs.ts";
import type { Logger } from "./logger.ts";

/**
 * Opens the cache that the platform has given, to read from and write to; undefined if there is none.
 *
 * @param signal ends what the cache does
 * @throws LifecycleError with exit code 1 when it cannot be used
 */
export async function openCache(
  inputs: Pick<Inputs, "cacheImage" | "cacheDir">,
  access: Pick<ImageAccess, "registry">,
  logger: Logger,
  signal: AbortSignal,
): Promise<Cache | undefined> {
  try {
    return await open(inputs, access, (message) => logger.warn(message), signal);
  } catch (error) {
    throw failedTo(inputs.cacheImage === "" ? "create volume cache" : "create image cache", error);
  }
}
