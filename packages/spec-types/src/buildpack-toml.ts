import type { OrderGroup } from "./order-toml.ts";

/** An operating system distribution that a buildpack supports. */
export interface TargetDistro {
  readonly name: string;
  readonly version: string;
}

/** A system that a buildpack or extension supports; an empty or absent field matches any. */
export interface Target {
  readonly os: string;
  readonly arch: string;
  readonly archVariant?: string;
  readonly distros?: readonly TargetDistro[];
}

/** What `[buildpack]` and `[extension]` have in common. */
export interface ModuleInfo {
  readonly id: string;
  readonly name: string;
  readonly version: string;
  readonly homepage?: string;
  readonly clearEnv: boolean;
  /** Execution environments it is for; empty or `*` means all. */
  readonly execEnv: readonly string[];
}

export interface BuildpackInfo extends ModuleInfo {
  /** Media types of the SBOM files that the buildpack may write. */
  readonly sbomFormats: readonly string[];
}

/** buildpack.toml (buildpack.md, "buildpack.toml"). With an order it is a composite buildpack. */
export interface BuildpackDescriptor {
  readonly api: string;
  readonly buildpack: BuildpackInfo;
  readonly order: readonly OrderGroup[];
  readonly targets: readonly Target[];
  /** Stack ids, from which targets are inferred if there are none. */
  readonly stacks: readonly { readonly id: string }[];
}
