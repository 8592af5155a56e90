import { encodeConfig } from "./config.ts";
import { type DaemonAddress, daemonAddress } from "./daemon/address.ts";
import { DaemonConnection } from "./daemon/connection.ts";
import { DaemonImage, DaemonLayer, shortImageId } from "./daemon/daemon-image.ts";
import { heldLayers } from "./daemon/held-layers.ts";
import { inspectedConfig } from "./daemon/inspected-config.ts";
import type { LayerCache } from "./daemon/layer-cache.ts";
import { type ArchivedLayer, loadArchive } from "./daemon/load-archive.ts";
import { savedLayers } from "./daemon/saved-layers.ts";
import type { Digest } from "./digest.ts";
import type { ImageDraft } from "./draft.ts";
import { ImageError } from "./errors.ts";
import type { Image } from "./image.ts";
import type { Layer } from "./layer.ts";
import { parseReference } from "./reference.ts";
import { saveFailure } from "./save-failure.ts";
import type { ImageStore, SavedImage } from "./store.ts";
import { noObserver, observed, type TransferObserver } from "./transfer.ts";

export interface DaemonStoreOptions {
  /** Where the daemon is: `DOCKER_HOST`, `DOCKER_CERT_PATH` and `DOCKER_TLS_VERIFY`. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Opens the launch cache; called when the first image is opened, by the user who will write it. */
  readonly launchCache?: () => LayerCache;
  /** Told of layers that travel. */
  readonly observer?: TransferObserver;
  /** Ends whatever the store does. */
  readonly signal?: AbortSignal;
}

const imageIdPattern = /^(?:sha256:)?[0-9a-f]{64}$/;

/** Images in a Docker or Podman daemon. */
export class DaemonStore implements ImageStore {
  readonly #connection: DaemonConnection;
  readonly #openCache: (() => LayerCache) | undefined;
  readonly #observer: TransferObserver;
  readonly #signal: AbortSignal | undefined;
  #cache: LayerCache | undefined;

  private constructor(connection: DaemonConnection, options: DaemonStoreOptions) {
    this.#connection = connection;
    this.#openCache = options.launchCache;
    this.#observer = options.observer ?? noObserver;
    this.#signal = options.signal;
    this.#signal?.addEventListener("abort", () => this.#connection.close());
  }

  /**
   * Gets ready to speak to the daemon; to be called as root where its socket is root's, the store works on when the
   * process has become another user.
   * @throws ImageError `invalid` if the environment names no daemon, `unreachable` if a socket of root's is dead
   */
  static async open(options: DaemonStoreOptions): Promise<DaemonStore> {
    const address: DaemonAddress = daemonAddress(options.env);
    return new DaemonStore(await DaemonConnection.open(address), options);
  }

  async open(name: string): Promise<Image | undefined> {
    if (!imageIdPattern.test(name)) parseReference(name);
    const inspected = await this.#connection.inspect(name);
    if (inspected === undefined) return undefined;
    const { Id } = inspected;
    if (typeof Id !== "string") throw new ImageError("invalid", `${name}: the docker daemon told no ID`);
    const config = inspectedConfig(inspected, await this.#connection.history(Id), name);
    return new DaemonImage({ name, id: Id, config }, { connection: this.#connection, cache: this.#launchCache() });
  }

  /** Whoever reaches a daemon may read and write there; that it can be reached shows when an image is opened. */
  async checkRead(): Promise<void> {}

  async checkWrite(): Promise<void> {}

  async save(draft: ImageDraft, names: readonly [string, ...string[]]): Promise<SavedImage> {
    const cache = this.#launchCache();
    try {
      const saved = await this.#save(draft, names, cache);
      if (!saved.failures.has(names[0])) await cache?.commit();
      return saved;
    } finally {
      await cache?.close();
    }
  }

  async #save(
    draft: ImageDraft,
    names: readonly [string, ...string[]],
    cache: LayerCache | undefined,
  ): Promise<SavedImage> {
    const [first] = names;
    const reference = parseReference(first);
    const held = heldLayers(draft.layers, await this.#connection.kind());
    await this.#fillCache(draft, held, cache);
    await this.#load(held, draft, reference.name, cache).catch((error: unknown) => {
      // Anything else is not about the image's names: a layer that cannot be read, say.
      if (!(error instanceof ImageError)) throw error;
      throw saveFailure(new Map(names.map((name) => [name, error])));
    });
    const id = (await this.#connection.inspect(reference.name))?.Id;
    if (typeof id !== "string") {
      throw new ImageError("not-found", `saving image "${first}": the docker daemon does not have it after loading it`);
    }
    const failures = new Map<string, Error>();
    for (const name of names) {
      try {
        const { repositoryName, identifier } = parseReference(name);
        await this.#connection.tag(id, repositoryName, identifier);
      } catch (error) {
        if (!(error instanceof ImageError)) throw error;
        failures.set(name, error);
      }
    }
    const imageId = shortImageId(id);
    return { identifier: imageId, shortId: imageId.slice(0, 12), report: { imageId }, failures };
  }

  /** Makes sure that the daemon is there, which also keeps it from closing connections that cannot be had again. */
  async ping(): Promise<void> {
    await this.#connection.ping();
  }

  /** Closes the connections. */
  close(): void {
    this.#connection.close();
  }

  /** Undefined if there is none. */
  #launchCache(): LayerCache | undefined {
    this.#cache ??= this.#openCache?.();
    return this.#cache;
  }

  /**
   * Puts all layers above the base into the launch cache. Those that will be read from there are made sure of; those that
   * it lacks and nobody else can give at once come from the daemon, all together.
   */
  async #fillCache(draft: ImageDraft, held: ReadonlySet<number>, cache: LayerCache | undefined): Promise<void> {
    if (cache === undefined) return;
    const base = new Set(draft.base?.layers);
    const missing: DaemonLayer[] = [];
    for (const [index, layer] of draft.layers.entries()) {
      if (base.has(layer)) continue;
      const { diffId } = layer;
      const cached = (await cache.layerSize(diffId)) !== undefined;
      const local = localLayer(draft, layer);
      if (cached && (held.has(index) || (await cache.isWhole(diffId)))) await cache.reuseLayer(diffId);
      else if (local !== undefined) {
        await cache.addLayer({ diffId, uncompressed: () => this.#stoppable(local.uncompressed()) });
      } else if (layer instanceof DaemonLayer) missing.push(layer);
    }
    for await (const { diffId, contents } of this.#fromDaemon(missing)) {
      await cache.addLayer({ diffId, uncompressed: () => contents });
    }
  }

  /** Loads the image with what the daemon lacks; if it will not have it so, with all. */
  async #load(
    held: ReadonlySet<number>,
    draft: ImageDraft,
    name: string,
    cache: LayerCache | undefined,
  ): Promise<void> {
    try {
      await this.#loadWithout(held, draft, name, cache);
    } catch (error) {
      if (held.size === 0 || !(error instanceof ImageError) || error.code !== "refused") throw error;
      await this.#loadWithout(new Set(), draft, name, cache);
    }
  }

  async #loadWithout(
    held: ReadonlySet<number>,
    draft: ImageDraft,
    name: string,
    cache: LayerCache | undefined,
  ): Promise<void> {
    const sent = draft.layers.filter((_, index) => !held.has(index));
    const archive = loadArchive({
      config: encodeConfig(draft.config()),
      diffIds: draft.layers.map(({ diffId }) => diffId),
      held,
      name,
      layers: () => this.#contents(sent, draft, cache),
    });
    await this.#connection.load(archive);
  }

  /** The layers' tars: first those at hand, then those that the daemon itself has to give out. */
  async *#contents(
    layers: readonly Layer[],
    draft: ImageDraft,
    cache: LayerCache | undefined,
  ): AsyncGenerator<ArchivedLayer> {
    const show = (layer: ArchivedLayer): ArchivedLayer => {
      const { diffId: blob, size } = layer;
      const transfer = { direction: "upload", place: "the docker daemon", blob, size } as const;
      return { ...layer, contents: observed(this.#stoppable(layer.contents), transfer, this.#observer) };
    };
    const base = new Set(draft.base?.layers);
    const missing: DaemonLayer[] = [];
    for (const layer of new Map(layers.map((each) => [each.diffId, each])).values()) {
      const { diffId } = layer;
      const cached = base.has(layer) ? undefined : await cache?.layerSize(diffId);
      const local = localLayer(draft, layer);
      if (cache !== undefined && cached !== undefined) {
        yield show({ diffId, size: cached, contents: cache.retrieveLayer(diffId) });
      } else if (local !== undefined) {
        yield show({ diffId, size: local.size ?? (await sizeOf(local)), contents: local.uncompressed() });
      } else if (layer instanceof DaemonLayer) missing.push(layer);
    }
    for await (const layer of this.#fromDaemon(missing)) yield show(layer);
  }

  async *#stoppable(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const chunk of source) {
      this.#signal?.throwIfAborted();
      yield chunk;
    }
  }

  /** Layers as the daemon gives them out, each image's in one go. */
  async *#fromDaemon(layers: readonly DaemonLayer[]): AsyncGenerator<ArchivedLayer> {
    const byImage = new Map<string, Set<Digest>>();
    for (const { diffId, image } of layers) {
      const wanted = byImage.get(image.imageId) ?? new Set();
      byImage.set(image.imageId, wanted.add(diffId));
    }
    for (const [id, wanted] of byImage) yield* savedLayers(this.#connection.save(id), wanted);
  }
}

/** The layer as it can be read on this machine; undefined if only the daemon has it. */
function localLayer(draft: ImageDraft, layer: Layer): Layer | undefined {
  return layer instanceof DaemonLayer ? draft.madeLayer(layer.diffId) : layer;
}

/** In bytes; found out by reading the layer. */
async function sizeOf(layer: Layer): Promise<number> {
  let size = 0;
  for await (const chunk of layer.uncompressed()) size += chunk.length;
  return size;
}
