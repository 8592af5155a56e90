import type { BomEntry } from "./build-toml.ts";
import type { GroupElement } from "./group-toml.ts";
import type { Label, LaunchProcess, Slice } from "./launch-toml.ts";

/** A process of the image. */
export interface Process extends LaunchProcess {
  /** The buildpack that defined it. */
  readonly buildpackId: string;
}

/**
 * `<layers>/config/metadata.toml`: what the build produced, for the exporter and the launcher (platform.md,
 * "metadata.toml"). Also the source of the label `io.buildpacks.build.metadata`.
 */
export interface BuildMetadata {
  readonly bom: readonly BomEntry[];
  readonly buildpacks: readonly GroupElement[];
  readonly extensions: readonly GroupElement[];
  readonly labels: readonly Label[];
  readonly processes: readonly Process[];
  readonly slices: readonly Slice[];
  readonly buildpackDefaultProcessType?: string;
}
