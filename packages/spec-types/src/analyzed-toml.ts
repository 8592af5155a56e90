import { readArchVariant } from "./arch-variant.ts";
import { type Reader, readToml } from "./decode.ts";
import type { LayerToml } from "./layer-toml.ts";
import { compareCodePoints, record, type Writable } from "./ordered.ts";
import { type RunImageForExport, readRunImageForExport, runImageFields } from "./run-toml.ts";
import { readStack, type Stack } from "./stack-toml.ts";
import { readStore, type StoreToml } from "./store-toml.ts";
import { formatToml } from "./toml-writer.ts";

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

/** Reads analyzed.toml. @throws FormatError */
export function parseAnalyzed(text: string, file: string): Analyzed {
  const reader = readToml(text, file);
  const previousImage = reader.optionalTable("image");
  const buildImage = reader.optionalTable("build-image");
  const runImage = reader.optionalTable("run-image");
  return {
    ...(previousImage && { previousImage: { reference: previousImage.string("reference") } }),
    ...(buildImage && { buildImage: { reference: buildImage.string("reference") } }),
    layersMetadata: readLayersMetadata(reader.table("metadata"), TOML_NAMES),
    ...(runImage && { runImage: readRunImage(runImage) }),
  };
}

function readRunImage(reader: Reader): RunImage {
  const image = reader.optionalString("image");
  const target = reader.optionalTable("target");
  return {
    reference: reader.string("reference"),
    ...(image !== undefined && { image }),
    ...(reader.boolean("extend") && { extend: true }),
    ...(target && { target: readTargetMetadata(target) }),
  };
}

function readTargetMetadata(reader: Reader): TargetMetadata {
  const id = reader.optionalString("id");
  const archVariant = readArchVariant(reader);
  const distro = reader.optionalTable("distro");
  return {
    ...(id !== undefined && { id }),
    os: reader.string("os"),
    arch: reader.string("arch"),
    ...(archVariant !== undefined && { archVariant }),
    ...(distro && { distro: { name: distro.string("name"), version: distro.string("version") } }),
  };
}

export function formatAnalyzed(analyzed: Analyzed): string {
  const { previousImage, buildImage, layersMetadata, runImage } = analyzed;
  return formatToml(
    record({
      image: previousImage && record({ reference: previousImage.reference }),
      "build-image": buildImage && record({ reference: buildImage.reference }),
      metadata: layersMetadataRecord(layersMetadata, TOML_NAMES),
      "run-image":
        runImage &&
        record({
          reference: runImage.reference,
          image: runImage.image || undefined,
          extend: runImage.extend || undefined,
          target: runImage.target && targetMetadataRecord(runImage.target),
        }),
    }),
  );
}

/** The target as analyzed.toml and the reference's log lines have it. */
export function targetMetadataRecord(target: TargetMetadata): ReadonlyMap<string, Writable> {
  return record({
    id: target.id || undefined,
    os: target.os,
    arch: target.arch,
    "arch-variant": target.archVariant || undefined,
    distro: target.distro && record({ name: target.distro.name, version: target.distro.version }),
  });
}

/** What analyzed.toml and the labels spell differently. */
export interface LayersMetadataNames {
  readonly runImage: string;
  readonly topLayer: string;
  readonly layerMetadata: string;
  /** What is written for a list or layer metadata that is not there. */
  readonly absent: null | undefined;
}

export const TOML_NAMES: LayersMetadataNames = {
  runImage: "run-image",
  topLayer: "top-layer",
  layerMetadata: "metadata",
  absent: undefined,
};
export const JSON_NAMES: LayersMetadataNames = {
  runImage: "runImage",
  topLayer: "topLayer",
  layerMetadata: "data",
  absent: null,
};

export function readLayersMetadata(reader: Reader, names: LayersMetadataNames): LayersMetadata {
  const app = reader.optionalTables("app", readLayerMetadata);
  return { ...(app && { app }), ...readMetadataBesideApp(reader, names) };
}

export function readMetadataBesideApp(reader: Reader, names: LayersMetadataNames): Omit<LayersMetadata, "app"> {
  const sbom = reader.optionalTable("sbom");
  const buildpacks = readBuildpacksMetadata(reader, names);
  const stack = reader.optionalTable("stack");
  const runImage = reader.table(names.runImage);
  return {
    ...(sbom && { sbom: readLayerMetadata(sbom) }),
    ...(buildpacks && { buildpacks }),
    config: readLayerMetadata(reader.table("config")),
    launcher: readLayerMetadata(reader.table("launcher")),
    processTypes: readLayerMetadata(reader.table("process-types")),
    runImage: {
      topLayer: runImage.string(names.topLayer),
      reference: runImage.string("reference"),
      ...readRunImageForExport(runImage),
    },
    ...(stack && { stack: readStack(stack, names.runImage) }),
  };
}

export function readLayerMetadata(reader: Reader): LayerMetadata {
  return { sha: reader.string("sha") };
}

export function readBuildpacksMetadata(
  reader: Reader,
  names: LayersMetadataNames,
): readonly BuildpackLayersMetadata[] | undefined {
  return reader.optionalTables("buildpacks", (buildpack) => {
    const store = buildpack.optionalTable("store");
    const layers = buildpack.table("layers").entries();
    return {
      id: buildpack.string("key"),
      version: buildpack.string("version"),
      layers: new Map(layers.map(([name, layer]) => [name, readBuildpackLayer(layer, names)])),
      ...(store && { store: readStore(store) }),
    };
  });
}

function readBuildpackLayer(reader: Reader, names: LayersMetadataNames): BuildpackLayerMetadata {
  const metadata = reader.value(names.layerMetadata);
  return {
    sha: reader.string("sha"),
    ...(metadata !== undefined && { metadata }),
    build: reader.boolean("build"),
    launch: reader.boolean("launch"),
    cache: reader.boolean("cache"),
  };
}

export function layersMetadataRecord(
  metadata: LayersMetadata,
  names: LayersMetadataNames,
): ReadonlyMap<string, Writable> {
  const { runImage, stack } = metadata;
  return record({
    app: metadata.app?.map(layerMetadataRecord) ?? names.absent,
    sbom: metadata.sbom && layerMetadataRecord(metadata.sbom),
    buildpacks: buildpacksMetadataRecords(metadata.buildpacks, names),
    config: layerMetadataRecord(metadata.config),
    launcher: layerMetadataRecord(metadata.launcher),
    "process-types": layerMetadataRecord(metadata.processTypes),
    [names.runImage]: record({
      [names.topLayer]: runImage.topLayer,
      reference: runImage.reference,
      ...runImageFields(runImage),
    }),
    stack: stack && record({ [names.runImage]: record(runImageFields(stack.runImage)) }),
  });
}

export function layerMetadataRecord({ sha }: LayerMetadata): ReadonlyMap<string, Writable> {
  return record({ sha });
}

export function buildpacksMetadataRecords(
  buildpacks: readonly BuildpackLayersMetadata[] | undefined,
  names: LayersMetadataNames,
): Writable {
  const records = buildpacks?.map(({ id, version, layers, store }) => {
    const sorted = [...layers].sort(([a], [b]) => compareCodePoints(a, b));
    return record({
      key: id,
      version,
      layers: new Map(sorted.map(([name, layer]) => [name, buildpackLayerRecord(layer, names)])),
      store: store && buildpackStore(store, names),
    });
  });
  return records ?? names.absent;
}

function buildpackLayerRecord(
  layer: BuildpackLayerMetadata,
  names: LayersMetadataNames,
): ReadonlyMap<string, Writable> {
  return record({
    sha: layer.sha,
    [names.layerMetadata]: layer.metadata ?? names.absent,
    build: layer.build,
    launch: layer.launch,
    cache: layer.cache,
  });
}

function buildpackStore(store: StoreToml, names: LayersMetadataNames): ReadonlyMap<string, Writable> {
  return record({ metadata: store.metadata ?? names.absent });
}
