import type { Logger } from "@lifecycle/phase";
import type { ApiVersion } from "@lifecycle/spec-types";

// The years that a timestamp of an image's config can hold (RFC 3339), in seconds.
const yearZero = Date.parse("0000-01-01T00:00:00Z") / 1000;
const year10000 = Date.parse("+010000-01-01T00:00:00Z") / 1000;

/**
 * The time that SOURCE_DATE_EPOCH asks for, in the image's config and history (platform.md, "Build Reproducibility").
 *
 * @param text whole seconds since 1970, up to the year 9999; anything else is ignored with a warning
 * @returns undefined when the constant time of 1980 is to be used; always before Platform API 0.9
 */
export function sourceDateEpoch(text: string | undefined, platformApi: ApiVersion, logger: Logger): Date | undefined {
  if (platformApi.lessThan("0.9") || !text) {
    return undefined;
  }
  const seconds = /^[+-]?\d+$/.test(text) ? Number(text) : Number.NaN;
  if (!(seconds >= yearZero && seconds < year10000)) {
    logger.warn("Ignoring invalid SOURCE_DATE_EPOCH");
    return undefined;
  }
  return new Date(seconds * 1000);
}
