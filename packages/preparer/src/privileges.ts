import { chownSync, mkdirSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { type ImageStore, type Keychain, Proxies, RegistryStore, resolveKeychain, Trust } from "@lifecycle/image";
import { isPrivileged, type PhaseContext } from "@lifecycle/phase";
import { placeForArchive } from "./app.ts";
import { readDescriptor } from "./descriptor-file.ts";

/** The run image that project.toml names, of an application that is not in an archive; empty if there is none. */
export function runImageNamedBy({ inputs }: PhaseContext): string {
  try {
    return readDescriptor(inputs.appDir, inputs.projectDescriptorPath)?.descriptor.lifecycle.runImage ?? "";
  } catch {
    return "";
  }
}

/**
 * The images that the application's project.toml names, as far as that can be told before anything is unpacked; for
 * asking credential helpers while there are privileges.
 */
function imagesNamedBy({ inputs }: PhaseContext): string[] {
  try {
    const descriptor = readDescriptor(inputs.appDir, inputs.projectDescriptorPath)?.descriptor;
    if (descriptor === undefined) return [];
    const uris = [...descriptor.group, ...descriptor.pre, ...descriptor.post].map(({ uri = "" }) => uri);
    const { runImage = "" } = descriptor.lifecycle;
    return [runImage, ...uris.map((uri) => uri.replace(/^docker:\/{1,3}/, ""))].filter((name) => name !== "");
  } catch {
    // told when it is its turn
    return [];
  }
}

/**
 * Opens the registries that buildpackages are in. Credentials for images that are known by then are asked for now; for
 * others, such as those that a buildpack registry's index names, when they are opened.
 *
 * @throws ImageError when CNB_REGISTRY_AUTH is malformed
 */
export async function openBuildpackages(context: PhaseContext): Promise<ImageStore> {
  const { inputs, env, logger, transfers, signal } = context;
  const warn = (message: string): void => logger.warn(message);
  const named = [...imagesNamedBy(context), inputs.runImage].filter((name) => name !== "");
  const known = await resolveKeychain(named, env, warn);
  const open = (keychain: Keychain): RegistryStore =>
    new RegistryStore({
      keychain,
      trust: new Trust(env),
      proxies: new Proxies(env),
      insecureRegistries: inputs.insecureRegistries,
      observer: transfers,
      signal,
      warn,
    });
  const store = open(known);
  const openLater = async (name: string) => {
    const later = await resolveKeychain([name], env);
    return open({
      resolve: (registry, repository) => known.resolve(registry, repository) ?? later.resolve(registry, repository),
    }).open(name);
  };
  return {
    open: (name) => (named.includes(name) ? store.open(name) : openLater(name)),
    checkRead: (name) => store.checkRead(name),
    checkWrite: (name) => store.checkWrite(name),
    save: (draft, names) => store.save(draft, names),
  };
}

/**
 * As root: lets the build's user write where the preparer writes. Only the directories themselves are given away, and
 * where that is refused (a read-only volume) it shows when something has to be written there.
 */
export function giveDirectories({ inputs }: PhaseContext): void {
  if (!isPrivileged()) return;
  const { uid, gid, appDir, appOutDir, layersDir, platformDir, cacheDir, buildpacksOutDir, projectMetadataPath } =
    inputs;
  const isArchive = statSync(appDir, { throwIfNoEntry: false })?.isFile() === true;
  const place = isArchive ? placeForArchive(appDir) : appDir;
  // the directory around an archive may be anybody's
  const app = appOutDir || (isArchive && place === appDir ? "" : place);
  const made = [app, layersDir, cacheDir, buildpacksOutDir, join(platformDir, "env"), dirname(projectMetadataPath)];
  for (const directory of made.filter((each) => each !== "")) {
    try {
      mkdirSync(directory, { recursive: true });
      chownSync(directory, uid, gid);
    } catch {
      // whoever writes there says why
    }
  }
}
