import type { Require } from "./build-plan.ts";
import type { GroupElement } from "./group-toml.ts";

/** An entry of the legacy, unstructured bill of materials. */
export interface BomEntry extends Require {
  /** Who wrote it; set by the lifecycle. */
  readonly buildpack: GroupElement;
}

/** build.toml (buildpack.md, "build.toml"). */
export interface BuildToml {
  readonly bom: readonly BomEntry[];
  /** Names of plan entries that the buildpack leaves to the next provider. */
  readonly unmet: readonly { readonly name: string }[];
}
