import type { History, ImageConfig, RuntimeConfig } from "./config.ts";
import type { Descriptor } from "./descriptor.ts";
import type { Digest } from "./digest.ts";
import { ImageError } from "./errors.ts";
import type { Image } from "./image.ts";
import type { Layer } from "./layer.ts";
import { familyOf, type Manifest } from "./manifest.ts";
import { type ManifestFamily, mediaTypes } from "./media-types.ts";
import type { Platform } from "./platform.ts";

/** The time that reproducible images carry unless SOURCE_DATE_EPOCH says otherwise: 1980-01-01T00:00:01Z. */
export const normalizedTime = new Date("1980-01-01T00:00:01Z");

export interface DraftOptions {
  /** The image to start from, for exports the run image; its config, annotations, and unknown fields carry over. */
  readonly base?: Image;
  /** How containers of the image start, where something has changed that in the base image; by default as it says. */
  readonly runtimeConfig?: RuntimeConfig | undefined;
  /** The platform of an image that has no base. */
  readonly platform?: Platform;
  /** The image that `reuseLayer` takes layers from. */
  readonly previousImage?: Image;
  /** For the image and every history entry; by default `normalizedTime`. */
  readonly createdAt?: Date;
  /** Whether history says what made each layer (Platform API 0.12 and above); else its entries carry only the time. */
  readonly keepHistory?: boolean;
}

/** An image in the making: what a base image has, and what was added. A store's `save` makes an image of it. */
export class ImageDraft {
  readonly #base: Image | undefined;
  readonly #runtimeConfig: RuntimeConfig | undefined;
  readonly #previousLayers: ReadonlyMap<Digest, Layer>;
  /** Reused layers that were made anew as well. */
  readonly #made = new Map<Digest, Layer>();
  readonly #created: string;
  readonly #keepHistory: boolean;
  readonly #platform: Platform | undefined;
  /** Whose system the image runs on. */
  #runImage: Image | undefined;
  readonly #layers: Layer[];
  readonly #history: History[];
  readonly #labels: Map<string, string>;
  readonly #env: string[];
  #entrypoint: readonly string[] | undefined;
  #cmd: readonly string[] | undefined;
  #workingDir: string | undefined;

  constructor(options: DraftOptions) {
    const { base, previousImage, createdAt = normalizedTime, keepHistory = false } = options;
    const runtimeConfig = options.runtimeConfig ?? base?.config.config;
    this.#base = base;
    this.#runtimeConfig = runtimeConfig;
    this.#runImage = base;
    this.#platform = options.platform;
    this.#previousLayers = new Map(previousImage?.layers.map((layer) => [layer.diffId, layer]));
    this.#created = createdAt.toISOString().replace(/\.000Z$/, "Z");
    this.#keepHistory = keepHistory;
    this.#layers = [...(base?.layers ?? [])];
    this.#history = layerHistory(base?.config.history, this.#layers.length);
    this.#labels = new Map(Object.entries(runtimeConfig?.Labels ?? {}));
    this.#env = [...(runtimeConfig?.Env ?? [])];
    this.#entrypoint = runtimeConfig?.Entrypoint;
    this.#cmd = runtimeConfig?.Cmd;
    this.#workingDir = runtimeConfig?.WorkingDir;
  }

  /** The image that it started from. */
  get base(): Image | undefined {
    return this.#base;
  }

  /** The layers so far, base layers first. */
  get layers(): readonly Layer[] {
    return this.#layers;
  }

  /** The diff id of the last layer so far; undefined if there is none. */
  get topLayer(): Digest | undefined {
    return this.#layers.at(-1)?.diffId;
  }

  /** The labels so far. */
  get labels(): ReadonlyMap<string, string> {
    return this.#labels;
  }

  /** The environment so far, each entry `NAME=value`. */
  get env(): readonly string[] {
    return this.#env;
  }

  /** The family of the manifest to be: the base image's, or OCI. */
  get family(): ManifestFamily {
    const manifest = this.#base?.manifest;
    return manifest === undefined ? "oci" : familyOf(manifest);
  }

  /**
   * Puts a layer on top.
   * @param createdBy for the image's history
   */
  addLayer(layer: Layer, createdBy?: string): void {
    this.#layers.push(layer);
    this.#history.push(createdBy === undefined ? {} : { created_by: createdBy });
  }

  /**
   * Replaces the layers up to the one with diff id `topLayer` by those of another run image, and takes over its platform;
   * nothing is read or compressed.
   * @throws ImageError `not-found` if there is no such layer
   */
  rebase(topLayer: string, runImage: Image): void {
    // A run image may hold the same layer twice (an empty one, say), and what lies above holds none of its layers.
    const top = this.#layers.findLastIndex(({ diffId }) => diffId === topLayer);
    if (top === -1) throw new ImageError("not-found", "could not find base layer in image");
    this.#layers.splice(0, top + 1, ...runImage.layers);
    this.#history.splice(0, top + 1, ...layerHistory(runImage.config.history, runImage.layers.length));
    this.#runImage = runImage;
  }

  /** Whether the previous image has the layer, so that `reuseLayer` can take it from there. */
  canReuse(diffId: Digest): boolean {
    return this.#previousLayers.has(diffId);
  }

  /**
   * Puts a layer of the previous image on top; nothing is read or compressed.
   * @param createdBy for the image's history
   * @param made the same layer as it can be read on this machine, if it can; see `madeLayer`
   * @throws ImageError `not-found` if the previous image has no such layer
   */
  reuseLayer(diffId: Digest, createdBy?: string, made?: Layer): void {
    const layer = this.#previousLayers.get(diffId);
    if (layer === undefined) {
      throw new ImageError("not-found", `the previous image has no layer with diff ID ${diffId}`);
    }
    if (made !== undefined) this.#made.set(diffId, made);
    this.addLayer(layer, createdBy);
  }

  /** What to read instead of a reused layer, for stores that do not give out single layers. */
  madeLayer(diffId: Digest): Layer | undefined {
    return this.#made.get(diffId);
  }

  setLabel(name: string, value: string): void {
    this.#labels.set(name, value);
  }

  removeLabel(name: string): void {
    this.#labels.delete(name);
  }

  /** Sets a variable, in its place if the base has it, else at the end. */
  setEnv(name: string, value: string): void {
    const entry = `${name}=${value}`;
    const index = this.#env.findIndex((existing) => existing.split("=", 1)[0] === name);
    if (index === -1) this.#env.push(entry);
    else this.#env[index] = entry;
  }

  setEntrypoint(entrypoint: readonly string[]): void {
    this.#entrypoint = entrypoint;
  }

  setCmd(cmd: readonly string[]): void {
    this.#cmd = cmd;
  }

  /** @param path an absolute path in the image */
  setWorkingDir(path: string): void {
    this.#workingDir = path;
  }

  /** The config of the image to be. */
  config(): ImageConfig {
    const base = this.#base?.config;
    const system = this.#runImage?.config;
    const config: RuntimeConfig = {
      ...this.#runtimeConfig,
      Labels: Object.fromEntries(this.#labels),
      Env: this.#env,
      Entrypoint: this.#entrypoint,
      Cmd: this.#cmd,
      WorkingDir: this.#workingDir,
    };
    return {
      ...base,
      architecture: system?.architecture ?? this.#platform?.architecture ?? "",
      os: system?.os ?? this.#platform?.os ?? "",
      "os.version": system?.["os.version"] ?? this.#platform?.osVersion,
      "os.features": system?.["os.features"],
      variant: system?.variant ?? this.#platform?.variant,
      created: this.#created,
      // Both describe the container that the base image was committed from, which says nothing about this image.
      container: undefined,
      container_config: undefined,
      history: this.#history.map((entry) => ({ ...(this.#keepHistory ? entry : {}), created: this.#created })),
      rootfs: { type: "layers", diff_ids: this.#layers.map((layer) => layer.diffId) },
      config,
    };
  }

  /**
   * The manifest of the image to be.
   * @param config the stored config
   * @param layers the stored layers, in order
   */
  manifest(config: { digest: Digest; size: number }, layers: readonly Descriptor[]): Manifest {
    const base = this.#base?.manifest;
    const oci = this.family === "oci";
    return {
      ...base,
      schemaVersion: 2,
      mediaType: oci ? mediaTypes.ociManifest : mediaTypes.dockerManifest,
      config: { mediaType: oci ? mediaTypes.ociConfig : mediaTypes.dockerConfig, ...config },
      layers,
      // It says that the base image is about some other manifest, which this image is not.
      subject: undefined,
    };
  }
}

/** One entry for each layer: the image's own if they can be told apart from entries that made no layer, else empty. */
function layerHistory(history: readonly History[] | undefined, layerCount: number): History[] {
  const entries = (history ?? []).filter((entry) => entry.empty_layer !== true);
  return entries.length === layerCount ? entries : Array.from({ length: layerCount }, () => ({}));
}
