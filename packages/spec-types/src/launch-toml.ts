import type { BomEntry } from "./build-toml.ts";

/** A label that a buildpack adds to the image. */
export interface Label {
  readonly key: string;
  readonly value: string;
}

/** Files of the application that become a layer of their own: glob patterns relative to the application directory. */
export interface Slice {
  readonly paths: readonly string[];
}

/** A process type that a buildpack defines. */
export interface LaunchProcess {
  readonly type: string;
  /** One entry before Buildpack API 0.9; later also the arguments that users cannot override. */
  readonly command: readonly string[];
  /** `undefined` if the buildpack gave none, which the build metadata label shows as null. */
  readonly args?: readonly string[];
  /** Run without a shell; always true from Buildpack API 0.9 on. */
  readonly direct: boolean;
  readonly default: boolean;
  readonly workingDirectory?: string;
  /** Execution environments it is for; empty or `*` means all. */
  readonly execEnv?: readonly string[];
}

/** launch.toml (buildpack.md, "launch.toml"). */
export interface LaunchToml {
  readonly bom: readonly BomEntry[];
  readonly labels: readonly Label[];
  readonly processes: readonly LaunchProcess[];
  readonly slices: readonly Slice[];
}
