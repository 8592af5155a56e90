import type { ImageConfig } from "./config.ts";
import type { Descriptor } from "./descriptor.ts";
import type { Digest } from "./digest.ts";
import { ImageError } from "./errors.ts";
import type { Image, ImageBytes } from "./image.ts";
import type { Layer } from "./layer.ts";
import type { Manifest } from "./manifest.ts";
import { type Platform, platformOf } from "./platform.ts";
import { decompressed, verified } from "./verified.ts";

/** A layer whose blob lies in a store; the stores derive theirs from it. */
export abstract class StoredLayer implements Layer {
  readonly diffId: Digest;
  readonly descriptor: Descriptor;

  constructor(diffId: Digest, descriptor: Descriptor) {
    this.diffId = diffId;
    this.descriptor = descriptor;
  }

  abstract compressed(): AsyncIterable<Uint8Array>;

  uncompressed(): AsyncIterable<Uint8Array> {
    const where = `layer ${this.diffId}`;
    return verified(decompressed(this.compressed(), where), this.diffId, undefined, where);
  }
}

/** An image that a manifest and a config describe. */
export class StoredImage<L extends Layer = Layer> implements Image {
  readonly name: string;
  readonly identifier: string;
  readonly manifest: Manifest;
  readonly bytes: ImageBytes | undefined;
  readonly config: ImageConfig;
  readonly layers: readonly L[];
  readonly labels: ReadonlyMap<string, string>;

  /**
   * @param layerOf makes the store's layer for a descriptor of the manifest
   * @throws ImageError `invalid` if manifest and config do not agree on the number of layers
   */
  constructor(
    source: {
      readonly name: string;
      readonly identifier: string;
      readonly manifest: Manifest;
      readonly config: ImageConfig;
      readonly bytes?: ImageBytes;
    },
    layerOf: (diffId: Digest, descriptor: Descriptor) => L,
  ) {
    this.name = source.name;
    this.identifier = source.identifier;
    this.manifest = source.manifest;
    this.bytes = source.bytes;
    this.config = source.config;
    this.labels = new Map(Object.entries(this.config.config.Labels ?? {}));
    const diffIds = this.config.rootfs.diff_ids;
    if (diffIds.length !== this.manifest.layers.length) {
      const counts = `${this.manifest.layers.length} layers, its config ${diffIds.length} diff IDs`;
      throw new ImageError("invalid", `${this.name}: the manifest has ${counts}`);
    }
    this.layers = this.manifest.layers.map((descriptor, i) => layerOf(diffIds[i] ?? descriptor.digest, descriptor));
  }

  get platform(): Platform {
    return platformOf(this.config);
  }

  get env(): readonly string[] {
    return this.config.config.Env ?? [];
  }

  get topLayer(): Digest | undefined {
    return this.layers.at(-1)?.diffId;
  }
}
