import { ApiVersion, ENV, isDeprecated, isSupported } from "@lifecycle/spec-types";
import { failedTo } from "./errors.ts";
import { ExitCode } from "./exit-codes.ts";
import type { Logger } from "./logger.ts";

/** `CNB_DEPRECATION_MODE`: what to do when a deprecated API is asked for; anything else than these warns. */
export type DeprecationMode = "quiet" | "warn" | "error" | (string & {});

/**
 * The Platform API that the platform asks for, checked.
 *
 * @param requested the value of CNB_PLATFORM_API
 * @throws LifecycleError with exit code 11 when it is missing, no version, or not supported
 */
export function verifyPlatformApi(requested: string, mode: DeprecationMode, logger: Logger): ApiVersion {
  if (requested.trim() === "") {
    throw failedTo(
      "get platform API version; please set 'CNB_PLATFORM_API' to specify the desired platform API version",
      undefined,
      ExitCode.incompatiblePlatformApi,
    );
  }
  const version = ApiVersion.tryParse(requested);
  if (version === undefined) {
    throw failedTo(`parse platform API '${requested}'`, undefined, ExitCode.incompatiblePlatformApi);
  }
  const incompatible = failedTo(
    "set platform API",
    `platform API version '${requested}' is incompatible with the lifecycle`,
    ExitCode.incompatiblePlatformApi,
  );
  if (!isSupported("platform", version)) {
    throw incompatible;
  }
  if (
    isDeprecated("platform", version) &&
    !toleratesDeprecated(`Platform requested deprecated API '${requested}'`, mode, logger)
  ) {
    throw incompatible;
  }
  return version;
}

/**
 * Checks the Buildpack API of a buildpack or an extension.
 *
 * @param kind "Buildpack" or "Extension"
 * @param name `<id>@<version>`
 * @throws LifecycleError with exit code 12 when it is no version or not supported
 */
export function verifyBuildpackApi(
  kind: string,
  name: string,
  requested: string,
  mode: DeprecationMode,
  logger: Logger,
): void {
  const version = ApiVersion.tryParse(requested);
  if (version === undefined) {
    throw failedTo(
      `parse buildpack API '${requested}' for ${kind.toLowerCase()} '${name}'`,
      undefined,
      ExitCode.incompatibleBuildpackApi,
    );
  }
  const deprecated = `${kind} '${name}' requests deprecated API '${requested}'`;
  if (
    !isSupported("buildpack", version) ||
    (isDeprecated("buildpack", version) && !toleratesDeprecated(deprecated, mode, logger))
  ) {
    throw failedTo(
      `set API for ${kind} '${name}'`,
      `buildpack API version '${requested}' is incompatible with the lifecycle`,
      ExitCode.incompatibleBuildpackApi,
    );
  }
}

function toleratesDeprecated(message: string, mode: DeprecationMode, logger: Logger): boolean {
  if (mode === "error") {
    logger.error(message);
    logger.error(`Deprecated APIs are disabled by ${ENV.deprecationMode}=error`);
    return false;
  }
  if (mode !== "quiet") {
    logger.warn(message);
  }
  return true;
}
