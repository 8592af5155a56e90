import type { Image } from "@lifecycle/image";
import {
  failedTo,
  type ImageAccess,
  type Inputs,
  logRunImage,
  type PhaseContext,
  runImageNotFound,
  targetOf,
} from "@lifecycle/phase";
import type { Analyzed, Group } from "@lifecycle/spec-types";

/** What this needs of a phase. */
type RunImageContext = Pick<PhaseContext, "logger"> & {
  readonly inputs: Pick<Inputs, "platformApi" | "useDaemon" | "useLayout" | "layoutDir">;
};

/**
 * Looks the run image up where extensions may have switched to one that the analyzer did not see; from Platform API
 * 0.10 on (platform.md, "restorer").
 *
 * @param group the group that detection chose, with its extensions
 * @returns what analyzed.toml is to say then; what it says now if its run image has a target
 * @throws LifecycleError with exit code 1 when there is no such image, or it cannot be read
 */
export async function updateRunImage(
  { inputs, logger }: RunImageContext,
  { images }: Pick<ImageAccess, "images">,
  analyzed: Analyzed,
  group: Group,
): Promise<Analyzed> {
  const { runImage } = analyzed;
  const lacksTarget = runImage !== undefined && (runImage.target?.os ?? "") === "";
  if (inputs.platformApi.lessThan("0.10") || group.groupExtensions.length === 0 || !lacksTarget) {
    return analyzed;
  }
  logger.debug("Updating run image info in analyzed metadata...");
  // before Platform API 0.12 there is only the reference
  const name = runImage.image || runImage.reference;
  const image = await images.open(name).catch((error: unknown) => {
    throw failedTo(`get run image ${name}`, error);
  });
  if (image === undefined) {
    throw failedTo(`get run image ${name}`, runImageNotFound(inputs));
  }
  return withRunImage({ inputs, logger }, analyzed, image);
}

/** What analyzed.toml is to say when the run image is this one: its reference and, from Platform API 0.12 on, target. */
export function withRunImage({ inputs, logger }: RunImageContext, analyzed: Analyzed, image: Image): Analyzed {
  logRunImage("was", analyzed.runImage, logger);
  const target = inputs.platformApi.atLeast("0.12") ? targetOf(image) : undefined;
  const runImage = { ...analyzed.runImage, reference: image.identifier, target };
  logRunImage("is", runImage, logger);
  return { ...analyzed, runImage };
}
