import { pipeline, Readable } from "node:stream";
import { createGzip } from "node:zlib";
import type { ImageConfig } from "../config.ts";
import { type Digest, parseDigest } from "../digest.ts";
import { ImageError } from "../errors.ts";
import type { Image } from "../image.ts";
import type { Layer } from "../layer.ts";
import { type Platform, platformOf } from "../platform.ts";
import { verified } from "../verified.ts";
import type { DaemonConnection } from "./connection.ts";
import type { LayerCache } from "./layer-cache.ts";
import { type SavedLayer, savedLayers } from "./saved-layers.ts";

/** Where a daemon's layers come from. */
interface LayerSource {
  readonly connection: DaemonConnection;
  /** Asked first. */
  readonly cache: LayerCache | undefined;
}

/** An image in a daemon, which has no manifest. */
export class DaemonImage implements Image {
  readonly name: string;
  /** The image ID without its `sha256:`. */
  readonly identifier: string;
  readonly imageId: string;
  readonly manifest = undefined;
  readonly config: ImageConfig;
  readonly labels: ReadonlyMap<string, string>;
  readonly layers: readonly DaemonLayer[];
  readonly #connection: DaemonConnection;

  /**
   * @param id with its `sha256:`
   * @throws ImageError `invalid` if the ID is none
   */
  constructor(source: { readonly name: string; readonly id: string; readonly config: ImageConfig }, from: LayerSource) {
    this.name = source.name;
    this.identifier = shortImageId(source.id);
    this.imageId = this.identifier;
    this.config = source.config;
    this.labels = new Map(Object.entries(source.config.config.Labels ?? {}));
    this.#connection = from.connection;
    this.layers = source.config.rootfs.diff_ids.map((diffId) => new DaemonLayer(diffId, this, from));
  }

  get platform(): Platform {
    return platformOf(this.config);
  }

  get env(): readonly string[] {
    return this.config.config.Env ?? [];
  }

  get topLayer(): Digest | undefined {
    return this.config.rootfs.diff_ids.at(-1);
  }

  /** All layers in one go, in the order in which the daemon gives them out. */
  savedLayers(): AsyncGenerator<SavedLayer> {
    return savedLayers(this.#connection.save(this.imageId), new Set(this.config.rootfs.diff_ids));
  }
}

/** The 64 hex digits of an image ID. @throws ImageError `invalid` */
export function shortImageId(id: string): string {
  return parseDigest(id.startsWith("sha256:") ? id : `sha256:${id}`, "ID of an image").slice("sha256:".length);
}

/** A layer of an image in a daemon. The daemon gives it out only together with all others of its image. */
export class DaemonLayer implements Layer {
  readonly diffId: Digest;
  readonly image: DaemonImage;
  readonly #from: LayerSource;

  constructor(diffId: Digest, image: DaemonImage, from: LayerSource) {
    this.diffId = diffId;
    this.image = image;
    this.#from = from;
  }

  compressed(): AsyncIterable<Uint8Array> {
    // Ends the one with the other: who leaves off reading gives the daemon's connection free.
    return pipeline(Readable.from(this.uncompressed(), { objectMode: false }), createGzip(), () => {});
  }

  async *uncompressed(): AsyncGenerator<Uint8Array> {
    const { connection, cache } = this.#from;
    const cached = (await cache?.layerSize(this.diffId)) !== undefined;
    if (cache !== undefined && cached && (await cache.isWhole(this.diffId))) {
      yield* cache.retrieveLayer(this.diffId);
      return;
    }
    let found = false;
    for await (const { size, contents } of savedLayers(connection.save(this.image.imageId), new Set([this.diffId]))) {
      found = true;
      yield* verified(contents, this.diffId, size, `layer ${this.diffId}`);
    }
    if (!found) {
      throw new ImageError("not-found", `layer ${this.diffId}: the docker daemon did not give it out`);
    }
  }
}
