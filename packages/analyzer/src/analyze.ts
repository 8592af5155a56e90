import { rm } from "node:fs/promises";
import { join } from "node:path";
import { type Image, ImageError, type ImageStore, mapBounded } from "@lifecycle/image";
import { extract, LayerError } from "@lifecycle/layers";
import { ExitCode, failedTo, inContext, type Logger, targetOf, timed } from "@lifecycle/phase";
import {
  type Analyzed,
  type ApiVersion,
  EMPTY_LAYERS_METADATA,
  type LayersMetadata,
  LIFECYCLE_METADATA_LABEL,
  parseLayersMetadataLabel,
  type RunImage,
} from "@lifecycle/spec-types";

/** What the analyzer works on. Images are references; an empty one was not given. */
export interface AnalyzeOptions {
  readonly platformApi: ApiVersion;
  readonly logger: Logger;
  /** Where run image, previous image and app image are. */
  readonly images: ImageStore;
  /** What logs and analyzed.toml call an image. */
  nameOf(image: string): string;
  /** Where the cache image is. */
  readonly registry: ImageStore;
  readonly outputImage: string;
  readonly tags: readonly string[];
  readonly previousImage: string;
  readonly runImage: string;
  readonly cacheImage: string;
  /** Absolute. The previous image's SBOM layer is restored below it. */
  readonly layersDir: string;
  /** Leave out the SBOM layer. */
  readonly skipLayers: boolean;
  /** Whether images are in layouts, which may lack layers of run images. */
  readonly useLayout: boolean;
}

/**
 * Finds the previous image's metadata and the run image's target, after making sure that all images of the build can
 * be read and written (platform.md, "analyzer").
 *
 * @throws LifecycleError with exit code 32
 */
export async function analyze(options: AnalyzeOptions): Promise<Analyzed> {
  const images = await openImages(options).catch((error: unknown) => {
    throw failedTo("initialize analyzer", error, ExitCode.analyzeError);
  });
  return timed("Analyzer", options.logger, async () => {
    const previous = readPrevious(options, images.previous);
    const isWhole = await restoreSbom(options, images.previous, previous.layersMetadata);
    const { reference, layersMetadata } = isWhole ? previous : noPrevious;
    const runImage = describeRunImage(options, images.run);
    return { previousImage: { reference }, layersMetadata, runImage };
  }).catch((error: unknown) => {
    throw failedTo("analyze", error, ExitCode.analyzeError);
  });
}

async function openImages(
  options: AnalyzeOptions,
): Promise<{ previous: Image | ImageError | undefined; run: Image | undefined }> {
  await ensureAccess(options);
  const previous = await openPrevious(options);
  const { images, runImage } = options;
  try {
    return { previous, run: runImage === "" ? undefined : await images.open(runImage) };
  } catch (error) {
    throw inContext("getting run image", error);
  }
}

async function ensureAccess({ images, registry, ...names }: AnalyzeOptions): Promise<void> {
  for (const image of present(names.previousImage, names.runImage)) {
    await images.checkRead(image).catch((error: unknown) => {
      throw inContext(`validating registry read access: failed to ensure registry read access to ${image}`, error);
    });
  }
  const outputs = present(names.outputImage, ...names.tags).map((image) => ({ image, store: images }));
  const caches = present(names.cacheImage).map((image) => ({ image, store: registry }));
  for (const { image, store } of [...caches, ...outputs]) {
    await store.checkWrite(image).catch((error: unknown) => {
      throw inContext(
        `validating registry write access: failed to ensure registry read/write access to ${image}`,
        error,
      );
    });
  }
}

function present(...names: string[]): string[] {
  return [...new Set(names)].filter((name) => name !== "");
}

/** A previous image that is damaged costs its layers, never the build; why it is, is returned. */
async function openPrevious(options: AnalyzeOptions): Promise<Image | ImageError | undefined> {
  const { images, previousImage } = options;
  if (previousImage === "") {
    return undefined;
  }
  try {
    const image = await images.open(previousImage);
    const isWhole = image === undefined || options.useLayout || (await holdsAllLayers(image));
    return isWhole ? image : new ImageError("corrupt", `${image.name}: the registry has lost a layer`);
  } catch (error) {
    if (error instanceof ImageError && (error.code === "corrupt" || error.code === "invalid")) {
      return error;
    }
    throw inContext("getting previous image", error);
  }
}

/** How many layers a registry is asked for at once: as many as hide its latency, few enough for it to bear. */
const parallelQuestions = 16;

/** False if a layer is certainly gone: a layer that cannot be reused has to be built again. */
async function holdsAllLayers({ layers }: Image): Promise<boolean> {
  const held = await mapBounded(layers, parallelQuestions, async (layer) => layer.isHeld?.().catch(() => true));
  return !held.includes(false);
}

/** What is known of a previous image that is not there. */
const noPrevious = { reference: "", layersMetadata: EMPTY_LAYERS_METADATA };

/** The previous image's name and what its label says of its layers; both empty when it or the label cannot be read. */
function readPrevious(
  { previousImage, nameOf, logger }: AnalyzeOptions,
  image: Image | ImageError | undefined,
): { reference: string; layersMetadata: LayersMetadata } {
  if (previousImage === "") {
    return noPrevious;
  }
  if (image instanceof ImageError) {
    logger.info(`Ignoring image ${JSON.stringify(nameOf(previousImage))} because it was corrupt`);
    logger.debug(image.message);
    return noPrevious;
  }
  const reference = identify(nameOf(previousImage), image, logger);
  const label = image?.labels.get(LIFECYCLE_METADATA_LABEL) ?? "";
  if (label === "") {
    return { ...noPrevious, reference };
  }
  try {
    return { reference, layersMetadata: parseLayersMetadataLabel(label) };
  } catch {
    return noPrevious;
  }
}

/** The identifier of an image, or nothing when there is no such image; says which. */
function identify(name: string, image: Image | undefined, logger: Logger): string {
  if (image === undefined) {
    logger.info(`Image with name ${JSON.stringify(name)} not found`);
    return "";
  }
  logger.debug(`Found image with identifier ${JSON.stringify(image.identifier)}`);
  return image.identifier;
}

/** @returns false if the image turns out not to be whole, so that none of its layers should be counted on */
async function restoreSbom(
  { platformApi, skipLayers, layersDir, logger }: AnalyzeOptions,
  image: Image | ImageError | undefined,
  { sbom }: LayersMetadata,
): Promise<boolean> {
  if (
    platformApi.lessThan("0.8") ||
    skipLayers ||
    image === undefined ||
    image instanceof ImageError ||
    sbom === undefined ||
    sbom.sha === ""
  ) {
    return true;
  }
  logger.info("Restoring data for SBOM from previous image");
  logger.debug(`Retrieving previous image SBOM layer for ${JSON.stringify(sbom.sha)}`);
  try {
    const layer = image.layers.find(({ diffId }) => diffId === sbom.sha);
    if (layer === undefined) {
      throw new Error(
        `image ${JSON.stringify(image.name)} does not contain layer with diff ID ${JSON.stringify(sbom.sha)}`,
      );
    }
    await extract(layer.uncompressed(), { trusted: layersDir, within: join(layersDir, "sbom") });
    return true;
  } catch (error) {
    if (error instanceof LayerError && error.code === "refused") {
      // such as an image whose layers directory was another one; its SBOM files are made anew
      logger.warn(`Skipping restore of SBOM from previous image: ${error.message}`);
      return true;
    }
    if (error instanceof ImageError && (error.code === "corrupt" || error.code === "not-found")) {
      logger.warn(`Ignoring image ${JSON.stringify(image.name)} because it was corrupt: ${error.message}`);
      await rm(join(layersDir, "sbom"), { recursive: true, force: true });
      return false;
    }
    throw inContext("retrieving launch SBOM layer", error);
  }
}

/** The run image as analyzed.toml names it; from Platform API 0.12 on with its tag and target. */
function describeRunImage(
  { platformApi, runImage, nameOf, logger }: AnalyzeOptions,
  image: Image | undefined,
): RunImage {
  if (runImage === "") {
    return { reference: "" };
  }
  const name = nameOf(runImage);
  const reference = identify(name, image, logger);
  if (platformApi.lessThan("0.12")) {
    return { reference };
  }
  const target = targetOf(image);
  if (target.os === "") {
    throw new Error("failed to find OS in run image config");
  }
  return { reference, image: name, target };
}
