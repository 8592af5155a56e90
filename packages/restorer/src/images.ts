import type { KnownConfig, RegistryStore } from "@lifecycle/image";
import { failedTo, type ImageAccess, openRegistry, type PhaseContext } from "@lifecycle/phase";
import type { Analyzed, Group } from "@lifecycle/spec-types";
import { copyBaseImage } from "./base-image.ts";
import { updateRunImage, withRunImage } from "./run-image.ts";

/** What restorer gets while it has privileges. */
export interface RestorerAccess extends ImageAccess {
  /** What analyzed.toml says. */
  readonly analyzed: Analyzed;
  /** Registries, with credentials for the images that are to be extended. */
  readonly bases: RegistryStore;
}

/**
 * Opens the registries that the images are in which are to be extended; also with a daemon, which has no manifests.
 *
 * @throws LifecycleError with exit code 1
 */
export async function openBaseImages(
  context: PhaseContext,
  { registry }: ImageAccess,
  { runImage }: Analyzed,
): Promise<RegistryStore> {
  const { buildImage, useDaemon, useLayout } = context.inputs;
  const images = [buildImage, runImage?.extend ? (runImage.image ?? "") : ""].filter((image) => image !== "");
  // Else it has credentials for them already.
  if ((!useDaemon && !useLayout) || images.length === 0) return registry;
  try {
    return await openRegistry(context, images);
  } catch (error) {
    throw failedTo("resolve keychain", error);
  }
}

/**
 * Completes what analyzed.toml says of the run image, and copies manifests and configs of the images that are to be
 * extended to where the extender finds them (platform.md, "restorer").
 *
 * @throws LifecycleError with exit code 1
 */
export async function updateAnalyzed(context: PhaseContext, access: RestorerAccess, group: Group): Promise<Analyzed> {
  const analyzed = await recordBuildImage(context, access, access.analyzed);
  return context.inputs.platformApi.atLeast("0.12") && analyzed.runImage?.extend
    ? await recordRunImage(context, access, analyzed)
    : await updateRunImage(context, access, analyzed, group);
}

async function recordBuildImage(
  { inputs, logger }: PhaseContext,
  { bases }: RestorerAccess,
  analyzed: Analyzed,
): Promise<Analyzed> {
  const { platformApi, buildImage: name, kanikoDir } = inputs;
  if (platformApi.lessThan("0.10") || name === "") {
    return analyzed;
  }
  logger.debug(`Pulling builder image metadata for ${name}...`);
  const image = await copyBaseImage(kanikoDir, (known) => bases.open(name, known), logger).catch((error: unknown) => {
    throw failedTo(`pull builder image ${name}`, error);
  });
  const buildImage = { reference: image.identifier };
  logger.debug("Adding build image info to analyzed metadata: ");
  logger.debug(JSON.stringify({ Reference: buildImage.reference }));
  return { ...analyzed, buildImage };
}

async function recordRunImage(
  context: PhaseContext,
  { bases, images }: RestorerAccess,
  analyzed: Analyzed,
): Promise<Analyzed> {
  const { inputs, logger } = context;
  const name = analyzed.runImage?.image ?? "";
  logger.debug(`Pulling run image metadata for ${name}...`);
  const open = (known: KnownConfig) => (inputs.useLayout ? images.open(name) : bases.open(name, known));
  const image = await copyBaseImage(inputs.kanikoDir, open, logger).catch((error: unknown) => {
    throw failedTo(`pull run image ${name}`, error);
  });
  return withRunImage(context, analyzed, image);
}
