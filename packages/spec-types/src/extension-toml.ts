import type { ModuleInfo, Target } from "./buildpack-toml.ts";

/** extension.toml (image_extension.md, "extension.toml"). */
export interface ExtensionDescriptor {
  readonly api: string;
  readonly extension: ModuleInfo;
  readonly targets: readonly Target[];
}
