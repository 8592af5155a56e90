import {
  DaemonStore,
  type ImageStore,
  type Keychain,
  LayoutStore,
  Proxies,
  RegistryStore,
  resolveKeychain,
  Trust,
} from "@lifecycle/image";
import { LaunchCache } from "@lifecycle/layers";
import { messageOf } from "@lifecycle/syscall";
import { failedTo, inContext } from "./errors.ts";
import { registryImages } from "./resolve-inputs.ts";
import type { PhaseContext } from "./run-phase.ts";

/** What opening stores takes of a phase's context. */
export type StoreContext = Pick<PhaseContext, "inputs" | "env" | "logger" | "transfers" | "signal">;

/** How often a daemon hears of us while nothing is asked of it, in milliseconds. */
const pingInterval = 500;

/** The stores that a phase reads images from and writes them to, with credentials that were read as root. */
export interface ImageAccess {
  /** Where the app image goes, and where run image and previous image lie: a registry, a daemon or a directory of layouts. */
  readonly images: ImageStore;
  /** Registries; cache images are there, wherever the app image goes. */
  readonly registry: RegistryStore;
  /** What logs and files call an image of `images`: its name, or where it lies on disk. */
  nameOf(image: string): string;
  /** Keeps connections that cannot be had again from being closed while `work` does not use them. */
  keepConnected<T>(work: () => Promise<T>): Promise<T>;
}

/**
 * Opens the stores that the inputs ask for. Everything that may need privileges (configuration files, credential
 * helpers) is read here, once.
 *
 * @param furtherImages images that are known from files, not from inputs
 */
export async function openImageAccess(
  context: StoreContext,
  furtherImages: readonly string[] = [],
): Promise<ImageAccess> {
  const { inputs } = context;
  let registry: RegistryStore;
  try {
    const further = inputs.useDaemon || inputs.useLayout ? [] : furtherImages;
    registry = await openRegistry(context, [...registryImages(inputs), ...further]);
  } catch (error) {
    throw failedTo("resolve keychain", error);
  }
  const nameOf = (image: string): string => image;
  if (inputs.useLayout) {
    const layouts = openLayouts(context);
    return { images: layouts, registry, nameOf: (image) => layouts.pathOf(image), keepConnected: (work) => work() };
  }
  if (!inputs.useDaemon) {
    return { images: registry, registry, nameOf, keepConnected: (work) => work() };
  }
  const daemon = await openDaemon(context);
  return { images: daemon, registry, nameOf, keepConnected: (work) => pinging(daemon, context, work) };
}

/** The daemon, connected to already where that takes root. */
async function openDaemon({ inputs, env, logger, transfers, signal }: StoreContext): Promise<DaemonStore> {
  const { launchCacheDir } = inputs;
  const launchCache = (): LaunchCache => {
    try {
      return LaunchCache.open(launchCacheDir, (message) => logger.warn(message));
    } catch (error) {
      throw inContext("creating launch cache", error);
    }
  };
  try {
    return await DaemonStore.open({ env, observer: transfers, signal, ...(launchCacheDir !== "" && { launchCache }) });
  } catch (error) {
    throw failedTo("initialize docker client", error);
  }
}

async function pinging<T>(
  daemon: DaemonStore,
  { logger }: Pick<StoreContext, "logger">,
  work: () => Promise<T>,
): Promise<T> {
  let isPinging = false;
  const ping = async (): Promise<void> => {
    if (isPinging) {
      return;
    }
    isPinging = true;
    await daemon.ping().catch((error: unknown) => logger.warn(`ping error: ${messageOf(error)}`));
    isPinging = false;
  };
  const timer = setInterval(ping, pingInterval);
  try {
    return await work();
  } finally {
    clearInterval(timer);
  }
}

function openLayouts({ inputs, logger, transfers, signal }: StoreContext): LayoutStore {
  const warn = (message: string): void => logger.warn(message);
  return new LayoutStore({ layoutDir: inputs.layoutDir, observer: transfers, signal, warn });
}

/**
 * Registries, with all credentials for those of the images.
 *
 * @throws ImageError when CNB_REGISTRY_AUTH is malformed
 */
export async function openRegistry(context: StoreContext, images: readonly string[]): Promise<RegistryStore> {
  const { env, logger } = context;
  return registryWith(await resolveKeychain(images, env, (message) => logger.warn(message)), context);
}

/** Registries, with these credentials. */
export function registryWith(
  keychain: Keychain,
  { inputs, env, logger, transfers, signal }: StoreContext,
): RegistryStore {
  const warn = (message: string): void => logger.warn(message);
  return new RegistryStore({
    keychain,
    trust: new Trust(env),
    proxies: new Proxies(env),
    insecureRegistries: inputs.insecureRegistries,
    observer: transfers,
    signal,
    warn,
  });
}
