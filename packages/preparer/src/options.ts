import type { ImageStore } from "@lifecycle/image";
import type { Inputs, PhaseContext } from "@lifecycle/phase";
import { LAYERS_PLACEHOLDER } from "@lifecycle/spec-types";

/** What the preparer works on. Paths are absolute; an empty one was not given. */
export type PrepareOptions = Pick<
  Inputs,
  | "appDir"
  | "appOutDir"
  | "buildpackRegistry"
  | "buildpacksDir"
  | "buildpacksOutDir"
  | "cacheDir"
  | "execEnv"
  | "layersDir"
  | "maxBytes"
  | "maxEntries"
  | "orderPath"
  | "platformApi"
  | "platformDir"
  | "projectDescriptorPath"
  | "projectMetadataPath"
  | "runImage"
  | "skipBuildpacks"
  | "skipConfig"
  | "skipEnv"
  | "skipFiles"
  | "skipProjectMetadata"
> &
  Pick<PhaseContext, "env" | "logger" | "transfers" | "signal" | "verifyBuildpackApi"> & {
    /** Where buildpackages are. */
    readonly images: ImageStore;
  };

/** A default path with the layers directory in it. */
export function inLayers(path: string, layersDir: string): string {
  return path.replace(LAYERS_PLACEHOLDER, () => layersDir);
}
