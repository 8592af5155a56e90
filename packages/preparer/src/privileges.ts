import { chownSync, mkdirSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { type ImageStore, type Keychain, resolveKeychain } from "@lifecycle/image";
import { isPrivileged, type PhaseContext, registryWith } from "@lifecycle/phase";
import type { ProjectDescriptor } from "@lifecycle/spec-types";
import { placeForArchive } from "./app.ts";
import { readDescriptorAhead } from "./descriptor-file.ts";

/** By the inputs that name the application, since an archive may take long to read. */
const descriptors = new WeakMap<PhaseContext["inputs"], Promise<ProjectDescriptor | undefined>>();

/** What the application's project.toml says, for what has to be known while there are privileges. */
function descriptorAhead({ inputs, signal }: PhaseContext): Promise<ProjectDescriptor | undefined> {
  const { appDir, projectDescriptorPath, maxBytes, maxEntries } = inputs;
  const known = descriptors.get(inputs);
  const descriptor = known ?? readDescriptorAhead(appDir, projectDescriptorPath, { maxBytes, maxEntries, signal });
  descriptors.set(inputs, descriptor);
  return descriptor;
}

/** The run image that project.toml names; empty if there is none. */
export async function runImageNamedBy(context: PhaseContext): Promise<string> {
  return (await descriptorAhead(context))?.lifecycle.runImage ?? "";
}

/** The images that the application's project.toml names, for asking credential helpers while there are privileges. */
async function imagesNamedBy(context: PhaseContext): Promise<string[]> {
  const descriptor = await descriptorAhead(context);
  if (descriptor === undefined) return [];
  const uris = [...descriptor.group, ...descriptor.pre, ...descriptor.post].map(({ uri = "" }) => uri);
  const { runImage = "" } = descriptor.lifecycle;
  return [runImage, ...uris.map((uri) => uri.replace(/^docker:\/{1,3}/, ""))].filter((name) => name !== "");
}

/**
 * Opens the registries that buildpackages are in. Credentials for images that are known by then are asked for now; for
 * others, such as those that a buildpack registry's index names, when they are opened.
 *
 * @throws ImageError when CNB_REGISTRY_AUTH is malformed
 */
export async function openBuildpackages(context: PhaseContext): Promise<ImageStore> {
  const { inputs, env, logger } = context;
  const named = [...(await imagesNamedBy(context)), inputs.runImage].filter((name) => name !== "");
  const known = await resolveKeychain(named, env, (message) => logger.warn(message));
  const store = registryWith(known, context);
  const openLater = async (name: string) => {
    const later = await resolveKeychain([name], env);
    const keychain: Keychain = {
      ...later,
      resolve: (registry, repository) => known.resolve(registry, repository) ?? later.resolve(registry, repository),
    };
    return registryWith(keychain, context).open(name);
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
