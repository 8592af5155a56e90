import type { BuildpackLayersMetadata, LayerMetadata } from "./analyzed-toml.ts";

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

/** What a cache records about the layers in it. */
export interface CacheMetadata {
  readonly sbom: LayerMetadata;
  readonly buildpacks?: readonly BuildpackLayersMetadata[];
}
