import { type Image, linuxPlatform } from "@lifecycle/image";
import {
  BASE_DISTRO_NAME_LABEL,
  BASE_DISTRO_VERSION_LABEL,
  BASE_ID_LABEL,
  type TargetMetadata,
} from "@lifecycle/spec-types";

/**
 * The system that an image holds, from its config and labels (platform.md, "Target Data"); of an image that does not
 * exist, this machine's.
 */
export function targetOf(image: Image | undefined): TargetMetadata {
  if (image === undefined) {
    const { os, architecture } = linuxPlatform();
    return { os, arch: architecture };
  }
  const { platform, labels } = image;
  const name = labels.get(BASE_DISTRO_NAME_LABEL);
  const version = labels.get(BASE_DISTRO_VERSION_LABEL);
  return {
    id: labels.get(BASE_ID_LABEL),
    os: platform.os,
    arch: platform.architecture,
    archVariant: platform.variant,
    distro: name === undefined && version === undefined ? undefined : { name: name ?? "", version: version ?? "" },
  };
}
