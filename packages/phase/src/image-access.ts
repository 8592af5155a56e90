import { type ImageStore, LayoutStore, Proxies, RegistryStore, resolveKeychain, Trust } from "@lifecycle/image";
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
  context: PhaseContext,
  furtherImages: readonly string[] = [],
): Promise<ImageAccess> {
  const { inputs } = context;
  if (inputs.useDaemon) {
    throw new LifecycleError(
      "-daemon is not supported by this version of the lifecycle; export to a registry, or with -layout to a directory",
      ExitCode.failed,
    );
  }
  try {
    const registry = await openRegistry(context, [...registryImages(inputs), ...furtherImages]);
    return { images: inputs.useLayout ? openLayouts(context) : registry, registry };
  } catch (error) {
    throw failedTo("resolve keychain", error);
  }
}

function openLayouts({ inputs, logger, transfers, signal }: PhaseContext): LayoutStore {
  const warn = (message: string): void => logger.warn(message);
  return new LayoutStore({ layoutDir: inputs.layoutDir, observer: transfers, signal, warn });
}

/**
 * Registries, with all credentials for those of the images.
 *
 * @throws ImageError when CNB_REGISTRY_AUTH is malformed
 */
export async function openRegistry(
  { inputs, env, logger, transfers, signal }: PhaseContext,
  images: readonly string[],
): Promise<RegistryStore> {
  const warn = (message: string): void => logger.warn(message);
  return new RegistryStore({
    keychain: await resolveKeychain(images, env, warn),
    trust: new Trust(env),
    proxies: new Proxies(env),
    insecureRegistries: inputs.insecureRegistries,
    observer: transfers,
    signal,
    warn,
  });
}
