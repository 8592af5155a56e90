import {
  type BuildpackLayersMetadata,
  buildpacksMetadataRecords,
  JSON_NAMES,
  type LayerMetadata,
  type LayersMetadata,
  layerMetadataRecord,
  layersMetadataRecord,
  readBuildpacksMetadata,
  readLayerMetadata,
  readLayersMetadata,
  readMetadataBesideApp,
} from "./analyzed-toml.ts";
import { readJson } from "./decode.ts";
import { FormatError } from "./format-error.ts";
import { formatJson, parseJson } from "./json.ts";
import { record } from "./ordered.ts";
import { isArray, type TomlValue } from "./toml-value.ts";

/** What the exporter records about the layers: {@link LayersMetadata} as JSON. */
export const LIFECYCLE_METADATA_LABEL = "io.buildpacks.lifecycle.metadata";
/** What the build produced: {@link BuildMetadata} and {@link LauncherMetadata} as JSON. */
export const BUILD_METADATA_LABEL = "io.buildpacks.build.metadata";
/** Where the source came from: {@link ProjectMetadata} as JSON. */
export const PROJECT_METADATA_LABEL = "io.buildpacks.project.metadata";
/** {@link CacheMetadata} as JSON, on cache images; also the name of the file in cache directories. */
export const CACHE_METADATA_LABEL = "io.buildpacks.lifecycle.cache.metadata";
/** Whether a rebase is safe: `true` or `false`. */
export const REBASABLE_LABEL = "io.buildpacks.rebasable";
/** The execution environment an image was built for (Platform API 0.15). */
export const EXEC_ENV_LABEL = "io.buildpacks.exec-env";
export const STACK_ID_LABEL = "io.buildpacks.stack.id";
/** A JSON array of strings. */
export const STACK_MIXINS_LABEL = "io.buildpacks.stack.mixins";
export const STACK_LABEL_PREFIX = "io.buildpacks.stack.";
/** The target id of a base image. */
export const BASE_ID_LABEL = "io.buildpacks.base.id";
export const BASE_DISTRO_NAME_LABEL = "io.buildpacks.base.distro.name";
export const BASE_DISTRO_VERSION_LABEL = "io.buildpacks.base.distro.version";
export const BASE_LABEL_PREFIX = "io.buildpacks.base.";
/** Of a lifecycle image. */
export const LIFECYCLE_APIS_LABEL = "io.buildpacks.lifecycle.apis";
export const LIFECYCLE_VERSION_LABEL = "io.buildpacks.lifecycle.version";
export const BUILDER_METADATA_LABEL = "io.buildpacks.builder.metadata";

/** The launcher in an image: its version and where its source lies. */
export interface LauncherMetadata {
  readonly version: string;
  readonly source: { readonly git: { readonly repository: string; readonly commit: string } };
}

/** {@link LayersMetadata} of an image to rebase, which may be so old that `app` is no list of layers. */
export interface RebaseMetadata extends Omit<LayersMetadata, "app"> {
  readonly app?: TomlValue;
}

/** What a cache records about the layers in it. */
export interface CacheMetadata {
  readonly sbom: LayerMetadata;
  readonly buildpacks?: readonly BuildpackLayersMetadata[];
}

/** Reads the label `io.buildpacks.lifecycle.metadata`. @throws FormatError */
export function parseLayersMetadataLabel(text: string): LayersMetadata {
  return readLayersMetadata(readJson(text, LIFECYCLE_METADATA_LABEL), JSON_NAMES);
}

/** Writes the label `io.buildpacks.lifecycle.metadata`. @throws RangeError if a layer's metadata hold an infinite float */
export function formatLayersMetadataLabel(metadata: LayersMetadata): string {
  return formatJson(layersMetadataRecord(metadata, JSON_NAMES));
}

/** As {@link parseLayersMetadataLabel}, but takes `app` as it is. @throws FormatError */
export function parseRebaseMetadataLabel(text: string): RebaseMetadata {
  const reader = readJson(text, LIFECYCLE_METADATA_LABEL);
  const app = reader.value("app");
  return { ...(app !== undefined && { app }), ...readMetadataBesideApp(reader, JSON_NAMES) };
}

/** As {@link formatLayersMetadataLabel}, with `app` as it was read. */
export function formatRebaseMetadataLabel({ app, ...metadata }: RebaseMetadata): string {
  return formatJson(new Map(layersMetadataRecord(metadata, JSON_NAMES)).set("app", app ?? null));
}

/** Reads the label, or file of a cache directory, `io.buildpacks.lifecycle.cache.metadata`. @throws FormatError */
export function parseCacheMetadata(text: string): CacheMetadata {
  const reader = readJson(text, CACHE_METADATA_LABEL);
  const buildpacks = readBuildpacksMetadata(reader, JSON_NAMES);
  return { sbom: readLayerMetadata(reader.table("sbom")), ...(buildpacks && { buildpacks }) };
}

/** Writes `io.buildpacks.lifecycle.cache.metadata`; in a cache directory's file a newline follows. */
export function formatCacheMetadata({ sbom, buildpacks }: CacheMetadata): string {
  return formatJson(
    record({ sbom: layerMetadataRecord(sbom), buildpacks: buildpacksMetadataRecords(buildpacks, JSON_NAMES) }),
  );
}

/** Reads the label `io.buildpacks.stack.mixins`. @throws FormatError */
export function parseMixinsLabel(text: string): readonly string[] {
  const mixins = parseJson(text, STACK_MIXINS_LABEL);
  if (!isArray(mixins) || !mixins.every((mixin) => typeof mixin === "string")) {
    throw new FormatError({ file: STACK_MIXINS_LABEL, what: "expected a JSON array of strings" });
  }
  return mixins;
}
