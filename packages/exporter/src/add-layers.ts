import { existsSync } from "node:fs";
import { join } from "node:path";
import { isLaunch, type Layer, LayersDir, whyMalformed } from "@lifecycle/buildpack";
import { type Digest, type ImageDraft, parseDigest } from "@lifecycle/image";
import { createdBy, type LayerFactory, type NewLayer } from "@lifecycle/layers";
import { inContext, type Logger } from "@lifecycle/phase";
import type {
  BuildpackLayerMetadata,
  BuildpackLayersMetadata,
  GroupElement,
  LayerMetadata,
  LayersMetadata,
  Slice,
} from "@lifecycle/spec-types";
import type { ExtensionLayer } from "./extended-run-image.ts";

/** Puts layers on an image, each taken from the previous image when that has the same one, and says which they are. */
export class LayerAdder {
  readonly #image: ImageDraft;
  readonly #factory: LayerFactory;
  readonly #previous: LayersMetadata;
  readonly #logger: Logger;

  /** @param previous what the previous image's label says of its layers */
  constructor(image: ImageDraft, factory: LayerFactory, previous: LayersMetadata, logger: Logger) {
    this.#image = image;
    this.#factory = factory;
    this.#previous = previous;
    this.#logger = logger;
  }

  /** What image extensions added to the run image. Not logged, as in the reference. */
  extensionLayers(layers: readonly ExtensionLayer[]): void {
    for (const { layer, createdBy } of layers) {
      if (this.#image.canReuse(layer.diffId)) {
        this.#image.reuseLayer(layer.diffId, createdBy, layer);
      } else {
        this.#image.addLayer(layer, createdBy);
      }
    }
  }

  /** The launch layers of all buildpacks, in the order of the group. */
  async buildpackLayers(group: readonly GroupElement[], layersDir: string): Promise<BuildpackLayersMetadata[]> {
    const all: BuildpackLayersMetadata[] = [];
    for (const buildpack of group) {
      const directory = readDirectory(layersDir, buildpack, this.#logger);
      this.#logger.debug(`Processing buildpack directory: ${directory.path}`);
      const layers = new Map<string, BuildpackLayerMetadata>();
      for (const layer of directory.layers.filter(isLaunch)) {
        layers.set(layer.name, await this.#launchLayer(buildpack, layer));
      }
      all.push({ id: buildpack.id, version: buildpack.version, layers, store: directory.store });
      const malformed = directory.layers.filter((layer) => whyMalformed(layer) !== undefined);
      if (malformed.length > 0) {
        const names = malformed.map(({ identifier }) => identifier).join(" ");
        throw new Error(`failed to parse metadata for layers '[${names}]': ${malformed.map(whyMalformed).join("; ")}`);
      }
    }
    return all;
  }

  async #launchLayer({ id, version }: GroupElement, layer: Layer): Promise<BuildpackLayerMetadata> {
    this.#logger.debug(`Processing launch layer: ${layer.path}`);
    const metadata = layer.read();
    const history = createdBy.buildpack(layer.name, id, version);
    const previous = this.#previous.buildpacks?.find((each) => each.id === id)?.layers.get(layer.name);
    if (layer.hasLocalContents()) {
      const made = await this.#factory.dirLayer(layer.identifier, layer.path, history);
      return { ...metadata, ...this.#addOrReuse(made, previous) };
    }
    // the buildpack keeps a layer of the previous image that it did not need to see
    if (metadata.cache) {
      throw new Error(`layer '${layer.identifier}' is cache=true but has no contents`);
    }
    if (previous === undefined) {
      const { identifier } = layer;
      throw new Error(`cannot reuse '${identifier}', previous image has no metadata for layer '${identifier}'`);
    }
    this.#logReuse(layer.identifier, previous.sha);
    try {
      this.#image.reuseLayer(parseDigest(previous.sha), history);
    } catch (error) {
      throw inContext(`reusing layer: '${layer.identifier}'`, error);
    }
    return { ...metadata, sha: previous.sha };
  }

  /** The SBOM files of launch layers; nothing when there are none. */
  async sbomLayer(layersDir: string): Promise<LayerMetadata | undefined> {
    const directory = join(layersDir, "sbom", "launch");
    if (!existsSync(directory)) {
      return undefined;
    }
    this.#logger.debug(`Found SBOM of type launch for at ${directory}`);
    return this.#addOrReuse(await this.#factory.sbomLayer(layersDir, "launch"), this.#previous.sbom);
  }

  /** The application, divided into the buildpacks' slices and the rest. */
  async appLayers(appDir: string, slices: readonly Slice[]): Promise<LayerMetadata[]> {
    this.#logger.debug("Adding app layers");
    const layers = await this.#factory.sliceLayers(appDir, slices);
    let reused = 0;
    for (const layer of layers) {
      this.#logger.debug(`Layer '${layer.id}' SHA: ${layer.diffId}`);
      if (this.#previous.app?.some(({ sha }) => sha === layer.diffId) && this.#image.canReuse(layer.diffId)) {
        this.#image.reuseLayer(layer.diffId, layer.createdBy, layer);
        reused += 1;
      } else {
        this.#image.addLayer(layer, layer.createdBy);
      }
    }
    if (reused > 0) {
      this.#logger.info(`Reused ${reused}/${layers.length} app layer(s)`);
    }
    if (reused < layers.length) {
      this.#logger.info(`Added ${layers.length - reused}/${layers.length} app layer(s)`);
    }
    return layers.map(({ diffId }) => ({ sha: diffId }));
  }

  /** The launcher, its configuration, and the symlinks by which processes are called; these only if there are any. */
  async launcherLayers(
    launcherPath: string,
    layersDir: string,
    processTypes: readonly string[],
  ): Promise<{ launcher: LayerMetadata; config: LayerMetadata; processTypes: LayerMetadata }> {
    const { launcher, config, processTypes: types } = this.#previous;
    return {
      launcher: this.#addOrReuse(await this.#factory.launcherLayer(launcherPath), launcher),
      config: this.#addOrReuse(await this.#factory.configLayer(layersDir), config),
      processTypes:
        processTypes.length === 0
          ? { sha: "" }
          : this.#addOrReuse(await this.#factory.processTypesLayer(processTypes), types),
    };
  }

  #addOrReuse(layer: NewLayer, previous: LayerMetadata | undefined): { sha: Digest } {
    // the label may promise a layer that the image does not have; then it is simply added
    if (previous?.sha === layer.diffId && this.#image.canReuse(layer.diffId)) {
      this.#logReuse(layer.id, layer.diffId);
      this.#image.reuseLayer(layer.diffId, layer.createdBy, layer);
    } else {
      this.#logger.info(`Adding layer '${layer.id}'`);
      this.#logger.debug(`Layer '${layer.id}' SHA: ${layer.diffId}`);
      this.#image.addLayer(layer, layer.createdBy);
    }
    return { sha: layer.diffId };
  }

  #logReuse(id: string, sha: string): void {
    this.#logger.info(`Reusing layer '${id}'`);
    this.#logger.debug(`Layer '${id}' SHA: ${sha}`);
  }
}

function readDirectory(layersDir: string, buildpack: GroupElement, logger: Logger): LayersDir {
  try {
    return LayersDir.read(layersDir, buildpack, logger);
  } catch (error) {
    throw inContext(`reading layers for buildpack '${buildpack.id}'`, error);
  }
}
