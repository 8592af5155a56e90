import type { FlagName } from "@lifecycle/phase";
import type { ApiVersion } from "@lifecycle/spec-types";

/** The flags of the detector, which the generator takes too, so that a platform can start both alike. */
export function detectorFlags(api: ApiVersion): FlagName[] {
  const flags: FlagName[] = [
    "app",
    "buildpacks",
    "group",
    "layers",
    "log-level",
    "no-color",
    "order",
    "plan",
    "platform",
  ];
  if (api.atLeast("0.10")) {
    flags.push("analyzed", "extensions", "generated");
  }
  if (api.atLeast("0.11")) {
    flags.push("build-config");
  }
  if (api.atLeast("0.12")) {
    flags.push("run");
  }
  if (api.atLeast("0.15")) {
    flags.push("system");
  }
  return flags;
}
