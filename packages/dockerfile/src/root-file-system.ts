import type { Layer } from "@lifecycle/image";
import { type BytePath, toBytePath } from "@lifecycle/layers";
import { IgnoredPaths } from "./ignored-paths.ts";
import type { SourceImage } from "./origin.ts";
import { RootPaths } from "./root-paths.ts";
import { Snapshot } from "./snapshot.ts";
import { unpack } from "./unpack.ts";

/** What a root file system is. */
export interface RootOptions {
  /** `/`, or the directory that holds it. */
  readonly directory: string;
  /** Absolute paths in it that belong to no image: app, layers, platform, kaniko and cache directories. */
  readonly ignored: readonly string[];
  /** Names exactly what it holds at first, such as the digest of its image; part of what layers are cached by. */
  readonly identity: string;
  /**
   * Puts into the directory what it holds at first. It is done when that is needed, which may be never; without it, the
   * directory holds it already.
   */
  readonly prepare?: () => Promise<void>;
}

/**
 * A root file system that Dockerfiles are applied to, one after the other. It is changed in place; nobody else may
 * change it meanwhile.
 */
export class RootFileSystem {
  readonly paths: RootPaths;
  readonly ignored: IgnoredPaths;
  readonly snapshot: Snapshot;
  /** Says how it came to be what it is: by its identity and all that was done to it. */
  key: string;
  /** Whether every step so far came from the cache. After one that did not, no other may. */
  fromCache = true;
  #prepare: (() => Promise<void>) | undefined;
  /** Layers that come on top of what is prepared. */
  readonly #pending: Layer[] = [];

  constructor(options: RootOptions) {
    this.paths = new RootPaths(options.directory);
    this.ignored = new IgnoredPaths(this.paths, options.ignored);
    this.snapshot = new Snapshot(this.paths, this.ignored);
    this.key = options.identity;
    this.#prepare = options.prepare;
  }

  /** Makes sure that it holds what it stands for; before, nothing may be read from it or written to it. */
  async ready(signal?: AbortSignal): Promise<void> {
    if (this.#prepare !== undefined) {
      await this.#prepare();
      this.#prepare = undefined;
      this.ignored.locate();
    }
    for (let layer = this.#pending.shift(); layer !== undefined; layer = this.#pending.shift()) {
      await this.unpackLayer(layer.uncompressed(), signal);
    }
  }

  /** Itself, as it is now, as an image that files are copied from. What is ignored is not in it. */
  asImage(signal?: AbortSignal): SourceImage {
    return {
      identity: this.key,
      rules: {
        leavesOut: (path) => this.ignored.contain(toBytePath(`/${path}`)),
        hasExceptionsBelow: () => false,
      },
      root: async () => {
        await this.ready(signal);
        return this.paths.directory;
      },
    };
  }

  /** Puts a layer on top: at once, or, if it does not hold anything yet, when it has to. */
  async addLayer(layer: Layer, signal?: AbortSignal): Promise<void> {
    this.#pending.push(layer);
    if (this.#prepare === undefined) await this.ready(signal);
  }

  /** Puts a layer into it. */
  async unpackLayer(source: AsyncIterable<Uint8Array>, signal?: AbortSignal): Promise<void> {
    this.ignored.refresh();
    const isIgnored = (path: BytePath) => this.ignored.contain(path);
    await unpack(source, this.paths, { kind: "layer", isIgnored, ...(signal === undefined ? {} : { signal }) });
  }
}

/**
 * Puts an image's layer into a directory, with owners, modes, devices, extended attributes and whiteouts. Needs root.
 * @throws LayerError `corrupt`, InstructionError `refused`, and what the source throws
 */
export async function unpackLayer(
  source: AsyncIterable<Uint8Array>,
  directory: string,
  signal?: AbortSignal,
): Promise<void> {
  await unpack(source, new RootPaths(directory), { kind: "layer", ...(signal === undefined ? {} : { signal }) });
}
