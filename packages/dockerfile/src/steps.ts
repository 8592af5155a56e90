import { createHash } from "node:crypto";
import { join } from "node:path";
import type { TarEntry } from "@lifecycle/layers";
import type { ApplyOptions } from "./apply-options.ts";
import { CacheWriteError, LayerCache } from "./layer-cache.ts";
import type { LayerFile } from "./layer-file.ts";

/** The steps that change files, each taken from the cache if it was done before, and the layers that come of them. */
export class Steps {
  readonly #options: ApplyOptions;
  readonly #layers: LayerFile[] = [];

  constructor(options: ApplyOptions) {
    this.#options = options;
  }

  /** Lowest first. */
  get layers(): readonly LayerFile[] {
    return this.#layers;
  }

  /**
   * Does what changes files, unless it was done before: then the layer that came of it is taken.
   * @param material all that the step is made from, besides the root as it is
   * @param work does it, and says what changed
   */
  async take(material: readonly unknown[], work: () => Promise<readonly TarEntry[]>): Promise<void> {
    const { root, cache, signal, log } = this.#options;
    const key = createHash("sha256")
      .update(JSON.stringify([root.key, ...material]))
      .digest("hex");
    root.key = key;
    if (root.fromCache) {
      const found = await cache.find(key);
      if (found !== undefined) {
        log?.(" ---> Using cache");
        if (found.layer !== undefined) {
          await root.addLayer(found.layer, signal);
          this.#layers.push(found.layer);
        }
        return;
      }
      root.fromCache = false;
    }
    await root.ready(signal);
    const layer = await this.#keep(key, await work());
    if (layer !== undefined) this.#layers.push(layer);
  }

  /** Keeps what a step changed in the cache; where that cannot be written to, only as long as it is needed. */
  async #keep(key: string, entries: readonly TarEntry[]): Promise<LayerFile | undefined> {
    const { cache, onlyRoot = false, workDirectory, warn } = this.#options;
    let layer: LayerFile | undefined;
    try {
      layer = await cache.keep(entries);
      await cache.remember(key, { layer });
      return layer;
    } catch (error) {
      if (!(error instanceof CacheWriteError)) throw error;
      warn?.(`Not caching this step: ${error.message}`);
    }
    if (layer !== undefined || onlyRoot) return layer;
    return new LayerCache(join(workDirectory, "uncached"), 0).keep(entries);
  }
}
