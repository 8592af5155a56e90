import { existsSync } from "node:fs";
import { join } from "node:path";
import { isCached, LayersDir } from "@lifecycle/buildpack";
import { type Cache, CacheReadError, createdBy, type LayerFactory, type NewLayer } from "@lifecycle/layers";
import { type Logger, timed } from "@lifecycle/phase";
import type {
  ApiVersion,
  BuildpackLayerMetadata,
  BuildpackLayersMetadata,
  CacheMetadata,
  GroupElement,
} from "@lifecycle/spec-types";
import { messageOf } from "@lifecycle/syscall";

/** What the export of the cache works on. */
export interface CacheOptions {
  readonly platformApi: ApiVersion;
  readonly logger: Logger;
  readonly cache: Cache;
  /** Shared with the export of the image. */
  readonly factory: LayerFactory;
  readonly group: readonly GroupElement[];
  /** Absolute. */
  readonly layersDir: string;
  /** Ends the export with its reason. */
  readonly signal: AbortSignal;
}

/**
 * Puts the layers that buildpacks want back into the cache, and commits it. A layer that cannot be cached costs the
 * next build time, so it is only warned about.
 *
 * @throws Error when the cache as a whole cannot be written
 */
export function exportCache(options: CacheOptions): Promise<void> {
  return timed("Cache", options.logger, async () => {
    const { cache, logger } = options;
    if (!cache.exists()) {
      logger.info("Layer cache not found");
    }
    const previous = await cache.metadata();
    const buildpacks: BuildpackLayersMetadata[] = [];
    for (const buildpack of options.group) {
      buildpacks.push(await cacheBuildpackLayers(options, buildpack, previous));
    }
    const sbom = { sha: options.platformApi.atLeast("0.8") ? await cacheSbom(options, previous) : "" };
    await cache.setMetadata({ sbom, buildpacks });
    await cache.commit();
  });
}

async function cacheBuildpackLayers(
  options: CacheOptions,
  buildpack: GroupElement,
  previous: CacheMetadata,
): Promise<BuildpackLayersMetadata> {
  const { logger, factory, layersDir } = options;
  const { id, version } = buildpack;
  const known = previous.buildpacks?.find((each) => each.id === id)?.layers;
  const layers = new Map<string, BuildpackLayerMetadata>();
  for (const layer of LayersDir.read(layersDir, buildpack, logger).layers.filter(isCached)) {
    const { identifier, name, path } = layer;
    if (!layer.hasLocalContents()) {
      logger.warn(`Failed to cache layer '${identifier}' because it has no contents`);
      continue;
    }
    try {
      const made = await factory.dirLayer(identifier, path, createdBy.buildpack(name, id, version));
      await addOrReuse(options, made, known?.get(name)?.sha);
      layers.set(name, { ...layer.read(), sha: made.diffId });
    } catch (error) {
      options.signal.throwIfAborted();
      logger.warn(`Failed to cache layer '${identifier}': ${messageOf(error)}`);
    }
  }
  return { id, version, layers };
}

async function cacheSbom(options: CacheOptions, previous: CacheMetadata): Promise<string> {
  const directory = join(options.layersDir, "sbom", "cache");
  if (!existsSync(directory)) {
    return "";
  }
  options.logger.debug(`Found SBOM of type cache for at ${directory}`);
  const layer = await options.factory.sbomLayer(options.layersDir, "cache");
  await addOrReuse(options, layer, previous.sbom.sha);
  return layer.diffId;
}

async function addOrReuse(
  { cache, logger }: CacheOptions,
  layer: NewLayer,
  previousSha: string | undefined,
): Promise<void> {
  if (layer.diffId === previousSha) {
    try {
      await cache.verifyLayer(previousSha);
      logger.info(`Reusing cache layer '${layer.id}'`);
      logger.debug(`Layer '${layer.id}' SHA: ${layer.diffId}`);
      await cache.reuseLayer(previousSha);
    } catch (error) {
      if (!(error instanceof CacheReadError)) {
        throw error;
      }
      logger.warn(`Skipping reuse for layer ${layer.id}: ${error.message}`);
    }
  }
  // also said of a reused layer, as by the reference; the cache keeps the one that it has
  logger.info(`Adding cache layer '${layer.id}'`);
  logger.debug(`Layer '${layer.id}' SHA: ${layer.diffId}`);
  await cache.addLayer(layer);
}
