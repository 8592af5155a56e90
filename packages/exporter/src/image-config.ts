import type { ImageDraft } from "@lifecycle/image";
import type { Logger } from "@lifecycle/phase";
import { type ApiVersion, type BuildMetadata, ENV } from "@lifecycle/spec-types";

const launcherPath = "/cnb/lifecycle/launcher";
const launcherDir = "/cnb/lifecycle";
const processDir = "/cnb/process";

/** Sets what the launcher finds in its environment, and the PATH under which processes can be called by type. */
export function setEnvironment(
  image: ImageDraft,
  {
    platformApi,
    layersDir,
    appDir,
    logger,
  }: { platformApi: ApiVersion; layersDir: string; appDir: string; logger: Logger },
): void {
  const variables = [
    [ENV.layersDir, layersDir],
    [ENV.appDir, appDir],
    [ENV.platformApi, platformApi.toString()],
    // who runs an app can do nothing about the APIs it was built with
    [ENV.deprecationMode, "quiet"],
  ] as const;
  for (const [name, value] of variables) {
    logger.debug(`Setting ${name}=${value}`);
    image.setEnv(name, value);
  }
  logger.debug(`Prepending ${processDir} and ${launcherDir} to PATH`);
  const path = image.env.find((entry) => entry.startsWith("PATH="))?.slice("PATH=".length) ?? "";
  image.setEnv("PATH", `${processDir}:${launcherDir}:${path}`);
}

/**
 * The image's entrypoint: the symlink of the default process, or the launcher itself when there is none
 * (platform.md, "exporter").
 *
 * @param userDefault what `-process-type` says, or nothing
 * @throws Error when the image has no process of that type
 */
export function entrypointOf(build: BuildMetadata, userDefault: string, logger: Logger): string {
  const type = userDefault || build.buildpackDefaultProcessType;
  if (!type) {
    logger.info("no default process type");
    return launcherPath;
  }
  if (userDefault !== "" && !build.processes.some((process) => process.type === userDefault)) {
    throw new Error(`tried to set ${userDefault} to default but it doesn't exist`);
  }
  logger.info(`Setting default process type '${type}'`);
  return `${processDir}/${type}`;
}
