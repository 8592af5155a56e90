import { copyFileSync, existsSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import type { Logger } from "@lifecycle/phase";
import { DEFAULTS } from "@lifecycle/spec-types";

const formats = ["sbom.cdx.json", "sbom.spdx.json", "sbom.syft.json"];

/**
 * Puts the lifecycle's own SBOMs among those of the build, and the launcher's among those of the image
 * (platform.md, Platform API 0.11).
 *
 * @param launcherSbomDir where the platform keeps other SBOMs of the launcher; all in it are taken
 */
export function copyLifecycleSboms(layersDir: string, launcherSbomDir: string, logger: Logger): void {
  const name = "buildpacksio_lifecycle";
  copyOwn("lifecycle", join(layersDir, "sbom", "build", name), logger);
  const launchDir = join(layersDir, "sbom", "launch", name, "launcher");
  if (launcherSbomDir === "" || launcherSbomDir === DEFAULTS.launcherSbomDir) {
    copyOwn("launcher", launchDir, logger);
    return;
  }
  const files = readdirSync(launcherSbomDir).filter((file) => formats.some((format) => file.endsWith(format)));
  mkdirSync(launchDir, { recursive: true });
  for (const file of files) {
    copyFileSync(join(launcherSbomDir, file), join(launchDir, file));
  }
}

function copyOwn(component: string, target: string, logger: Logger): void {
  const directory = DEFAULTS.launcherSbomDir;
  for (const format of formats) {
    const file = `${component}.${format}`;
    if (!existsSync(join(directory, file))) {
      logger.warn(`Did not find SBOM ${file} in ${directory}`);
      continue;
    }
    logger.debug(`Copying SBOM ${file} to ${join(target, format)}`);
    mkdirSync(target, { recursive: true });
    copyFileSync(join(directory, file), join(target, format));
  }
}
