import { type ImageStore, LayoutStore, RegistryStore, resolveKeychain } from "@lifecycle/image";
import { failedTo, LifecycleError } from "./errors.ts";
import { ExitCode } from "./exit-codes.ts";
import { registryImages } from "./resolve-inputs.ts";
import type { PhaseContext } from "./run-phase.ts";

/** The stores that a phase reads images from and writes them to, with credentials that were read as root. */
export interface ImageAccess {
  /** Where the app image goes, and where run image and previous image lie: a registry or a directory of layouts. */
  readonly images: ImageStore;
  /** Registries; cache images are there, wherever the app image goes. */
  readonly registry: ImageStore;
}

/**
 * Opens the stores that the inputs ask for. Everything that may need privileges (configuration files, credential
 * helpers) is read here, once.
 *
 * @param furtherImages images that are known from files, not from inputs
 */
export async function openImageAccess(
  { inputs, env }: PhaseContext,
  furtherImages: readonly string[] = [],
): Promise<ImageAccess> {
  if (inputs.useDaemon) {
    throw new LifecycleError(
      "-daemon is not supported by this version of the lifecycle; export to a registry, or with -layout to a directory",
      ExitCode.failed,
    );
  }
  try {
    const keychain = await resolveKeychain([...registryImages(inputs), ...furtherImages], env);
    const registry = new RegistryStore({ keychain, insecureRegistries: inputs.insecureRegistries });
    return { images: inputs.useLayout ? new LayoutStore(inputs.layoutDir) : registry, registry };
  } catch (error) {
    throw failedTo("resolve keychain", error);
  }
}
