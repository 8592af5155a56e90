import type { Digest, Layer, LayerCache } from "@lifecycle/image";
import { CacheDirectory } from "./cache-directory.ts";
import { CacheReadError } from "./errors.ts";

/**
 * The launch cache (platform.md, `-launch-cache`): a cache directory that holds the layers of the last image exported to
 * a daemon, which the reference lifecycle can read and write too.
 */
export class LaunchCache implements LayerCache {
  readonly #directory: CacheDirectory;
  readonly #warn: (message: string) => void;

  private constructor(directory: CacheDirectory, warn: (message: string) => void) {
    this.#directory = directory;
    this.#warn = warn;
  }

  /**
   * Opens a launch cache, which may be empty.
   * @param directory must be there
   * @param warn told of layers that are damaged
   * @throws LayerError `unwritable` if it is not there or cannot be written
   */
  static open(directory: string, warn: (message: string) => void): LaunchCache {
    return new LaunchCache(CacheDirectory.open(directory), warn);
  }

  layerSize(diffId: Digest): Promise<number | undefined> {
    return this.#directory.layerSize(diffId);
  }

  async isWhole(diffId: Digest): Promise<boolean> {
    try {
      await this.#directory.verifyLayer(diffId);
      return true;
    } catch (error) {
      if (!(error instanceof CacheReadError)) throw error;
      this.#warn(`Ignoring layer in launch cache: ${error.message}`);
      return false;
    }
  }

  retrieveLayer(diffId: Digest): AsyncIterable<Uint8Array> {
    return this.#directory.retrieveLayer(diffId);
  }

  addLayer(layer: Pick<Layer, "diffId" | "uncompressed">): Promise<void> {
    return this.#directory.addLayer(layer);
  }

  reuseLayer(diffId: Digest): Promise<void> {
    return this.#directory.reuseLayer(diffId);
  }

  commit(): Promise<void> {
    return this.#directory.commit();
  }

  close(): Promise<void> {
    return this.#directory.close();
  }
}
