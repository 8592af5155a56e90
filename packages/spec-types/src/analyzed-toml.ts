import type { LayerToml } from "./layer-toml.ts";
import type { RunImageForExport } from "./run-toml.ts";
import type { Stack } from "./stack-toml.ts";
import type { StoreToml } from "./store-toml.ts";

/** A layer of the image; `sha` is its diffID, `sha256:<hex>`. */
export interface LayerMetadata {
  readonly sha: string;
}

/** A layer of a buildpack: its `<layer>.toml` and its diffID. */
export interface BuildpackLayerMetadata extends LayerToml {
  readonly sha: string;
}

/** What the image records about one buildpack's layers. */
export interface BuildpackLayersMetadata {
  readonly id: string;
  readonly version: string;
  readonly layers: ReadonlyMap<string, BuildpackLayerMetadata>;
  readonly store?: StoreToml;
}

/** The run image an image stands on, as a rebase needs it. */
export interface RunImageForRebase extends RunImageForExport {
  /** diffID of its last layer. */
  readonly topLayer: string;
  readonly reference: string;
}

/** `[metadata]` of analyzed.toml and the label `io.buildpacks.lifecycle.metadata`. */
export interface LayersMetadata {
  readonly app?: readonly LayerMetadata[];
  readonly sbom?: LayerMetadata;
  readonly buildpacks?: readonly BuildpackLayersMetadata[];
  readonly config: LayerMetadata;
  readonly launcher: LayerMetadata;
  readonly processTypes: LayerMetadata;
  readonly runImage: RunImageForRebase;
  readonly stack?: Stack;
}

/** The distribution in a base image. */
export interface OsDistro {
  readonly name: string;
  readonly version: string;
}

/** The system that a base image holds. */
export interface TargetMetadata {
  readonly id?: string;
  readonly os: string;
  readonly arch: string;
  readonly archVariant?: string;
  readonly distro?: OsDistro;
}

/** The run image chosen for this build. */
export interface RunImage {
  /** Digest reference, or the image's id in a daemon. */
  readonly reference: string;
  /** The name that the platform or an extension gave. */
  readonly image?: string;
  /** An extension adds to it before export. */
  readonly extend?: boolean;
  readonly target?: TargetMetadata;
}

export interface ImageIdentifier {
  readonly reference: string;
}

/** analyzed.toml (platform.md, "analyzed.toml"). */
export interface Analyzed {
  readonly previousImage?: ImageIdentifier;
  readonly buildImage?: ImageIdentifier;
  readonly layersMetadata: LayersMetadata;
  readonly runImage?: RunImage;
}

/** The layers metadata of an image that does not exist. */
export const EMPTY_LAYERS_METADATA: LayersMetadata = {
  config: { sha: "" },
  launcher: { sha: "" },
  processTypes: { sha: "" },
  runImage: { topLayer: "", reference: "" },
};
