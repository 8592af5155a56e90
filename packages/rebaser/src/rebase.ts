import { type Image, ImageDraft, type ImageStore, parseReference } from "@lifecycle/image";
import {
  type AccessCheck,
  bestRunImage,
  containsImage,
  ExitCode,
  failedTo,
  inContext,
  type Logger,
  saveImage,
  timed,
} from "@lifecycle/phase";
import {
  type ApiVersion,
  BASE_LABEL_PREFIX,
  EMPTY_LAYERS_METADATA,
  formatRebaseMetadataLabel,
  LIFECYCLE_METADATA_LABEL,
  parseRebaseMetadataLabel,
  type RebaseMetadata,
  type Report,
  type RunImageForRebase,
  STACK_LABEL_PREFIX,
} from "@lifecycle/spec-types";
import { validate } from "./validate.ts";

/** What the rebaser works on. */
export interface RebaseOptions {
  readonly platformApi: ApiVersion;
  readonly logger: Logger;
  /** Where app image and run image are, and the rebased image goes. */
  readonly images: ImageStore;
  /** The app image to rebase. */
  readonly previousImage: string;
  /** The new run image. */
  readonly runImage: string;
  readonly outputImage: string;
  readonly tags: readonly string[];
  /** Only warn of what makes the rebase unsafe. */
  readonly forceRebase: boolean;
}

/**
 * Replaces the run image of an app image, and stores the result under all its names (platform.md, "rebaser"). No layer
 * is read or written but those that the target cannot get from where they are.
 *
 * @returns what report.toml is to say
 * @throws LifecycleError with exit code 72; with 1 when the run image cannot be read
 */
export async function rebase(options: RebaseOptions): Promise<Report> {
  const app = await openAppImage(options);
  const runImage = await openRunImage(options);
  const rebased = () => timed("Rebaser", options.logger, () => rebaseAndSave(options, app, runImage));
  return rebased().catch((error: unknown) => {
    throw failedTo("rebase", error, ExitCode.rebaseError);
  });
}

/**
 * The run image that the app image's metadata name, or the mirror of it that is in the app image's registry
 * (platform.md, "Run Image Resolution").
 *
 * @throws LifecycleError with exit code 72
 */
export async function findRunImage(
  options: Pick<RebaseOptions, "platformApi" | "images" | "previousImage">,
  canRead: AccessCheck,
): Promise<string> {
  const { metadata } = await openAppImage(options);
  try {
    const { runImage, stack } = metadata;
    const known = options.platformApi.atLeast("0.12") && runImage.image !== undefined ? runImage : stack?.runImage;
    if (known?.image === undefined) {
      throw failedTo("parse arguments", "-run-image is required when there is no run image metadata available");
    }
    return await bestRunImage(parseReference(options.previousImage).registry, known, canRead);
  } catch (error) {
    throw failedTo("set app image", error, ExitCode.rebaseError);
  }
}

interface AppImage {
  readonly image: Image;
  /** What its label says. */
  readonly metadata: RebaseMetadata;
}

async function openAppImage({
  images,
  previousImage,
}: Pick<RebaseOptions, "images" | "previousImage">): Promise<AppImage> {
  try {
    const image = await open(images, previousImage, "access image to rebase");
    const label = image.labels.get(LIFECYCLE_METADATA_LABEL) ?? "";
    return {
      image,
      metadata: label === "" ? { ...EMPTY_LAYERS_METADATA, app: undefined } : parseRebaseMetadataLabel(label),
    };
  } catch (error) {
    throw failedTo("set app image", error, ExitCode.rebaseError);
  }
}

async function openRunImage({ images, runImage }: RebaseOptions): Promise<Image> {
  const action = "access run image";
  const image = await open(images, runImage, action);
  if (image.topLayer === undefined) {
    throw failedTo(action, `image '${runImage}' has no layers`);
  }
  return image;
}

/** @throws LifecycleError that says what was to be done, with exit code 1 */
async function open(images: ImageStore, name: string, action: string): Promise<Image> {
  let image: Image | undefined;
  try {
    image = await images.open(name);
  } catch (error) {
    throw failedTo(action, error);
  }
  if (image === undefined) {
    throw failedTo(action, `image '${name}' not found`);
  }
  return image;
}

async function rebaseAndSave(options: RebaseOptions, app: AppImage, runImage: Image): Promise<Report> {
  const { platformApi, logger, images } = options;
  validate(app.image, runImage, options);
  const draft = new ImageDraft({ base: app.image });
  try {
    draft.rebase(app.metadata.runImage.topLayer, runImage);
  } catch (error) {
    throw inContext("rebase app image", error);
  }
  draft.setLabel(LIFECYCLE_METADATA_LABEL, formatRebaseMetadataLabel(updateMetadata(options, app.metadata, runImage)));
  const prefixes = platformApi.atLeast("0.12") ? [STACK_LABEL_PREFIX, BASE_LABEL_PREFIX] : [STACK_LABEL_PREFIX];
  replaceLabels(draft, runImage, (name) => prefixes.some((prefix) => name.startsWith(prefix)));
  return { image: await saveImage(images, draft, [options.outputImage, ...options.tags], logger) };
}

/**
 * The metadata of the rebased image. From Platform API 0.12 on the run image must be one that the app image knows; if the
 * platform insists on another, that one becomes the one it knows.
 */
function updateMetadata(
  { platformApi, forceRebase, logger }: RebaseOptions,
  metadata: RebaseMetadata,
  runImage: Image,
): RebaseMetadata {
  const { name } = runImage;
  const stands = { topLayer: runImage.topLayer ?? "", reference: runImage.identifier };
  const known = [metadata.runImage, metadata.stack?.runImage ?? {}].some((each) => containsImage(each, name));
  if (known || platformApi.lessThan("0.12")) {
    return { ...metadata, runImage: { ...metadata.runImage, ...stands } };
  }
  const problem = `rebase app image: new base image '${name}' not found in existing run image metadata: ${describeKnown(metadata)}`;
  if (!forceRebase) {
    throw new Error(`${problem}; please provide -force to override`);
  }
  logger.warn(problem);
  return { ...metadata, runImage: { ...stands, image: name }, stack: { runImage: { image: name } } };
}

/** The run image that an app image knows, as JSON. */
function describeKnown({ runImage, stack }: RebaseMetadata): string {
  if (runImage.image !== undefined) {
    const { topLayer, reference, image, mirrors } = runImage;
    return JSON.stringify({ topLayer, reference, image, mirrors } satisfies RunImageForRebase);
  }
  return stack === undefined
    ? "not found"
    : JSON.stringify({ image: stack.runImage.image, mirrors: stack.runImage.mirrors });
}

function replaceLabels(draft: ImageDraft, from: Image, isReplaced: (name: string) => boolean): void {
  for (const name of [...draft.labels.keys()].filter(isReplaced)) {
    draft.removeLabel(name);
  }
  for (const [name, value] of from.labels) {
    if (isReplaced(name)) {
      draft.setLabel(name, value);
    }
  }
}
