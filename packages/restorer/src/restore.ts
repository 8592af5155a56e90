import { join } from "node:path";
import { type Layer, LayersDir } from "@lifecycle/buildpack";
import { type Cache, CacheReadError, extract, LayerError } from "@lifecycle/layers";
import { ExitCode, failedTo, inContext, type Logger, timed } from "@lifecycle/phase";
import type { ApiVersion, CacheMetadata, GroupElement, LayersMetadata } from "@lifecycle/spec-types";
import { restoreLayerMetadata } from "./layer-metadata.ts";
import { restoreSbomFiles } from "./sbom.ts";

/** What the restorer works on. */
export interface RestoreOptions {
  readonly platformApi: ApiVersion;
  readonly logger: Logger;
  /** Absolute. */
  readonly layersDir: string;
  /** The buildpacks that take part, in order. */
  readonly group: readonly GroupElement[];
  /** What the previous image's label says of its layers. */
  readonly layersMetadata: LayersMetadata;
  /** Absent when the platform gives no cache. */
  readonly cache: Cache | undefined;
  /** Restore no metadata of layers, and with it no layers. */
  readonly skipLayers: boolean;
}

const emptyCache: CacheMetadata = { sbom: { sha: "" }, buildpacks: [] };

/**
 * Puts back what earlier builds left for the buildpacks: store.toml, metadata of launch and cache layers, contents of
 * cache layers, SBOM files (platform.md, "restorer").
 *
 * @throws LifecycleError with exit code 42
 */
export function restore(options: RestoreOptions): Promise<void> {
  return timed("Restorer", options.logger, async () => {
    const cacheMetadata = await readCacheMetadata(options);
    options.logger.debug("Restoring Layer Metadata");
    const restored = restoreLayerMetadata(options, cacheMetadata);
    try {
      await restoreCacheLayers(options, cacheMetadata, restored);
      await restoreSboms(options, cacheMetadata);
    } catch (error) {
      throw inContext("restoring data", error);
    }
  }).catch((error: unknown) => {
    throw failedTo("restore", error, ExitCode.restoreError);
  });
}

async function readCacheMetadata({ cache, logger }: RestoreOptions): Promise<CacheMetadata> {
  if (cache === undefined) {
    logger.debug("Usable cache not provided, using empty cache metadata");
    return emptyCache;
  }
  if (!cache.exists()) {
    logger.info("Layer cache not found");
  }
  try {
    return await cache.metadata();
  } catch (error) {
    throw inContext("retrieving cache metadata", error);
  }
}

/**
 * Restores the contents of the cache layers whose metadata was restored; a layer that the image has in another version
 * is removed with its metadata, so that the buildpack makes it anew.
 */
async function restoreCacheLayers(
  { group, layersDir, cache, logger }: RestoreOptions,
  cacheMetadata: CacheMetadata,
  restored: ReadonlyMap<string, string>,
): Promise<void> {
  for (const buildpack of group) {
    const cached = cacheMetadata.buildpacks?.find(({ id }) => id === buildpack.id)?.layers;
    logger.debug(`Reading Buildpack Layers directory ${layersDir}`);
    for (const layer of LayersDir.read(layersDir, buildpack, logger).layers) {
      const entry = cached?.get(layer.name);
      if (entry === undefined || !entry.cache || cache === undefined) {
        continue;
      }
      const { identifier } = layer;
      const sha = restored.get(identifier) ?? "";
      if (sha !== entry.sha) {
        logger.info(`Removing ${JSON.stringify(identifier)}, wrong sha`);
        logger.debug(`Layer sha: ${JSON.stringify(sha)}, cache sha: ${JSON.stringify(entry.sha)}`);
        layer.remove();
        continue;
      }
      logger.info(`Restoring data for ${JSON.stringify(identifier)} from cache`);
      await restoreContents(layer, sha, layersDir, cache, logger);
    }
  }
}

/** A layer that cannot be restored whole is removed, so that the buildpack makes it anew. */
async function restoreContents(
  layer: Layer,
  sha: string,
  layersDir: string,
  cache: Cache,
  logger: Logger,
): Promise<void> {
  logger.debug(`Retrieving data for ${JSON.stringify(sha)}`);
  try {
    await extract(cache.retrieveLayer(sha), { trusted: layersDir, within: layer.path });
  } catch (error) {
    layer.remove();
    if (!isUnusable(error)) {
      throw inContext(`restoring layer ${layer.identifier}`, error);
    }
    logger.warn(`Skipping restore for layer ${layer.identifier}: ${error.message}`);
  }
}

async function restoreSboms(
  { platformApi, skipLayers, layersDir, group, cache, logger }: RestoreOptions,
  { sbom }: CacheMetadata,
): Promise<void> {
  if (platformApi.lessThan("0.8")) {
    return;
  }
  if (sbom.sha !== "") {
    logger.info("Restoring data for SBOM from cache");
  }
  if (skipLayers) {
    return;
  }
  if (sbom.sha !== "" && cache !== undefined) {
    logger.debug(`Retrieving SBOM layer data for ${JSON.stringify(sbom.sha)}`);
    try {
      await extract(cache.retrieveLayer(sbom.sha), { trusted: layersDir, within: join(layersDir, "sbom") });
    } catch (error) {
      if (!isUnusable(error)) {
        throw error;
      }
      logger.warn(`Skipping restore of SBOM from cache: ${error.message}`);
    }
  }
  restoreSbomFiles(layersDir, group);
}

/** Whether the cache is at fault: then what it lacks is made anew. Anything else, such as a full disk, ends the build. */
function isUnusable(error: unknown): error is Error {
  return (
    error instanceof CacheReadError ||
    (error instanceof LayerError && (error.code === "corrupt" || error.code === "refused"))
  );
}
