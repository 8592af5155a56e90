import type { FlagName } from "@lifecycle/phase";

/** The flags that only the preparer has; creator takes them for it. */
export const PREPARE_FLAGS: readonly FlagName[] = [
  "app-out",
  "buildpack-registry",
  "buildpacks-out",
  "max-bytes",
  "max-entries",
  "project-descriptor",
  "skip-buildpacks",
  "skip-config",
  "skip-env",
  "skip-files",
  "skip-project-metadata",
];
