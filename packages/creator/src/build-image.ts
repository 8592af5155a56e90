import { fingerprint, type RootFileSystem } from "@lifecycle/dockerfile";
import { type BaseImage, baseFrom } from "@lifecycle/extender";
import { type Image, linuxPlatform } from "@lifecycle/image";
import { type Environment, failedTo, openImageAccess, openRegistry, type StoreContext } from "@lifecycle/phase";

/**
 * The image that this container was started from: the one that the platform names (CNB_BUILD_IMAGE), else what can be
 * known of it in here.
 *
 * @param home of the build user, whose programs leave files there
 */
export async function buildImage(
  context: StoreContext,
  root: RootFileSystem,
  home: string | undefined,
): Promise<BaseImage> {
  const { buildImage: name } = context.inputs;
  if (name === "") return imageOfContainer(context, root, home);
  const image = (await openInDaemon(context, name)) ?? (await (await openRegistry(context, [name])).open(name));
  if (image === undefined) throw failedTo("get build image", `image '${name}' not found`);
  return baseFrom(image);
}

/** A builder that somebody made on this machine may be nowhere else. */
async function openInDaemon(context: StoreContext, name: string): Promise<Image | undefined> {
  return context.inputs.useDaemon ? (await openImageAccess(context)).images.open(name) : undefined;
}

async function imageOfContainer(
  { inputs, env, signal }: StoreContext,
  root: RootFileSystem,
  home: string | undefined,
): Promise<BaseImage> {
  const identity = await fingerprint(root, home === undefined ? [] : [home], signal);
  const { os, architecture, variant } = linuxPlatform();
  return {
    config: {
      os,
      architecture,
      ...(variant && { variant }),
      config: { User: `${inputs.uid}:${inputs.gid}`, WorkingDir: process.cwd(), Env: imageVariables(env) },
      rootfs: { type: "layers", diff_ids: [] },
    },
    manifest: undefined,
    reference: "build image",
    identity: `sha256:${identity}`,
  };
}

/** What images set for everybody. All else may be the platform's, credentials among it, and stays out of RUN. */
const variablesOfImages =
  /^(PATH|LANG|LANGUAGE|LC_\w+|TZ|DEBIAN_FRONTEND|LD_LIBRARY_PATH|SSL_CERT_(FILE|DIR)|CNB_(USER|GROUP|STACK)_ID)$/;

/** In an order of their own, since runtimes give them in any. */
function imageVariables(env: Environment): string[] {
  const chosen = Object.entries(env).filter(([name]) => variablesOfImages.test(name));
  return chosen.map(([name, value]) => `${name}=${value}`).sort();
}
