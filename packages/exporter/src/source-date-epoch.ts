import type { Logger } from "@lifecycle/phase";
import type { ApiVersion } from "@lifecycle/spec-types";

/**
 * The time that SOURCE_DATE_EPOCH asks for, in the image's config and history (platform.md, "Build Reproducibility").
 *
 * @param text whole seconds since 1970; anything else is ignored with a warning
 * @returns undefined when the constant time of 1980 is to be used; always before Platform API 0.9
 */
export function sourceDateEpoch(text: string | undefined, platformApi: ApiVersion, logger: Logger): Date | undefined {
  if (platformApi.lessThan("0.9") || !text) {
    return undefined;
  }
  const time = new Date(/^[+-]?\d+$/.test(text) ? Number(text) * 1000 : Number.NaN);
  if (Number.isNaN(time.getTime())) {
    logger.warn("Ignoring invalid SOURCE_DATE_EPOCH");
    return undefined;
  }
  return time;
}
