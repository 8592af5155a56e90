import { type Image, ImageDraft, type ImageStore } from "@lifecycle/image";
import { ExitCode, failedTo, type Inputs, type Logger, runImageNotFound } from "@lifecycle/phase";
import { type ApiVersion, REBASABLE_LABEL } from "@lifecycle/spec-types";
import type { ExtendedRunImage } from "./extended-run-image.ts";
import { sourceDateEpoch } from "./source-date-epoch.ts";

/** What the app image starts from. */
export interface StartOptions extends Pick<Inputs, "useDaemon" | "useLayout" | "layoutDir"> {
  readonly platformApi: ApiVersion;
  readonly logger: Logger;
  /** Where run image and previous image are. */
  readonly images: ImageStore;
  /** The run image, as analyzed.toml identifies it. */
  readonly runImage: string;
  /** The image to take unchanged layers from, as analyzed.toml identifies it; an empty text if there is none. */
  readonly previousImage: string;
  /** What extenders made of the run image; its config becomes the app image's. */
  readonly extended: ExtendedRunImage | undefined;
  /** What SOURCE_DATE_EPOCH says. */
  readonly sourceDateEpoch: string | undefined;
}

/** The image to be, which for now is what the run image is. */
export interface StartedImage {
  readonly runImage: Image;
  /** Its layers are to be added. */
  readonly extended: ExtendedRunImage | undefined;
  readonly draft: ImageDraft;
}

/** @throws LifecycleError with exit code 62 when there is no run image, or one of the images cannot be read */
export async function startImage(options: StartOptions): Promise<StartedImage> {
  const { platformApi, logger, images, extended } = options;
  try {
    if (extended !== undefined) {
      logger.debug("Using config from extensions...");
    }
    const previousImage = await openPrevious(options);
    const createdAt = sourceDateEpoch(options.sourceDateEpoch, platformApi, logger);
    const runImage = await images.open(options.runImage);
    if (runImage === undefined) {
      throw new Error(`run image '${options.runImage}' ${runImageNotFound(options)}`);
    }
    const keepHistory = platformApi.atLeast("0.12");
    const runtimeConfig = extended?.config.config;
    const draft = new ImageDraft({ base: runImage, runtimeConfig, previousImage, createdAt, keepHistory });
    if (extended !== undefined) {
      const rebasable = extended.labels.get(REBASABLE_LABEL) === "true";
      draft.setLabel(REBASABLE_LABEL, String(rebasable));
    }
    return { runImage, extended, draft };
  } catch (error) {
    throw failedTo("create new app image", error, ExitCode.exportError);
  }
}

async function openPrevious({ images, previousImage, logger }: StartOptions): Promise<Image | undefined> {
  if (previousImage === "") {
    return undefined;
  }
  const image = await images.open(previousImage);
  if (image?.imageId === undefined) {
    logger.info(`Reusing layers from image '${image?.name ?? previousImage}'`);
  } else {
    logger.debug(`Reusing layers from image with id '${image.imageId}'`);
  }
  return image;
}
