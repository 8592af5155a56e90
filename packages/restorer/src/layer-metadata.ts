import { join } from "node:path";
import { escapeId, LayersDir } from "@lifecycle/buildpack";
import { writeFileAtomic } from "@lifecycle/phase";
import {
  type BuildpackLayerMetadata,
  type CacheMetadata,
  formatStoreToml,
  type GroupElement,
} from "@lifecycle/spec-types";
import type { RestoreOptions } from "./restore.ts";

type Layers = ReadonlyMap<string, BuildpackLayerMetadata>;

/**
 * Writes store.toml, and `<layer>.toml` for the layers that a buildpack may reuse: launch layers of the previous image
 * and layers of the cache. Which types a layer is of is left out: a buildpack says so anew each time.
 *
 * @returns the diff id of each layer with restored metadata, by its identifier `<buildpack id>:<layer>`
 */
export function restoreLayerMetadata(options: RestoreOptions, cacheMetadata: CacheMetadata): Map<string, string> {
  const { group, layersDir, layersMetadata, logger } = options;
  for (const { id } of group) {
    const store = layersMetadata.buildpacks?.find((each) => each.id === id)?.store;
    if (store !== undefined) {
      writeFileAtomic(join(layersDir, escapeId(id), "store.toml"), formatStoreToml(store));
    }
  }
  const restored = new Map<string, string>();
  if (options.skipLayers) {
    logger.info("Skipping buildpack layer analysis");
    return restored;
  }
  for (const buildpack of group) {
    const ofBuildpack = ({ id }: { id: string }): boolean => id === buildpack.id;
    const inImage: Layers = layersMetadata.buildpacks?.find(ofBuildpack)?.layers ?? new Map();
    const inCache: Layers = cacheMetadata.buildpacks?.find(ofBuildpack)?.layers ?? new Map();
    const directory = LayersDir.read(layersDir, buildpack, logger);
    const write = (name: string, metadata: BuildpackLayerMetadata): void => {
      const layer = directory.layer(name);
      logger.debug(`Writing layer metadata for ${JSON.stringify(layer.identifier)}`);
      layer.writeMetadata(metadata);
      restored.set(layer.identifier, metadata.sha);
    };
    restoreFromImage(options, buildpack, inImage, inCache, write);
    restoreFromCache(options, buildpack, inImage, inCache, write);
  }
  return restored;
}

type Write = (name: string, metadata: BuildpackLayerMetadata) => void;

function restoreFromImage(
  { logger }: RestoreOptions,
  buildpack: GroupElement,
  inImage: Layers,
  inCache: Layers,
  write: Write,
): void {
  for (const [name, layer] of sorted(inImage)) {
    const identifier = JSON.stringify(`${buildpack.id}:${name}`);
    if (!layer.launch) {
      logger.debug(`Not restoring metadata for ${identifier}, marked as launch=false`);
    } else if (layer.build && !layer.cache) {
      // it must be there during the build, and nothing can bring it back: the buildpack makes it anew in any case
      logger.debug(`Not restoring metadata for ${identifier}, marked as build=true, cache=false`);
    } else if (layer.cache && inCache.get(name)?.cache !== true) {
      logger.debug(`Not restoring metadata for ${identifier}, marked as cache=true, but not found in cache`);
    } else {
      logger.info(`Restoring metadata for ${identifier} from app image`);
      write(name, layer);
    }
  }
}

function restoreFromCache(
  { logger, platformApi }: RestoreOptions,
  buildpack: GroupElement,
  inImage: Layers,
  inCache: Layers,
  write: Write,
): void {
  for (const [name, layer] of sorted(inCache)) {
    const identifier = JSON.stringify(`${buildpack.id}:${name}`);
    if (!layer.cache) {
      logger.debug(`Not restoring ${identifier} from cache, marked as cache=false`);
    } else if (layer.launch && (inImage.has(name) || platformApi.lessThan("0.14"))) {
      logger.debug(`Not restoring ${identifier} from cache, marked as launch=true`);
    } else {
      logger.info(`Restoring metadata for ${identifier} from cache`);
      write(name, layer);
    }
  }
}

/**
 * By name, so that the log is the same for the same input. Names come from labels: one that leads out of the
 * buildpack's directory is none that a lifecycle wrote.
 */
function sorted(layers: Layers): [string, BuildpackLayerMetadata][] {
  return [...layers]
    .filter(([name]) => name !== "" && name !== "." && name !== ".." && !/[/\0]/.test(name))
    .sort(([one], [other]) => (one < other ? -1 : 1));
}
