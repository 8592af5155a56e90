export {
  type Analyzed,
  type BuildpackLayerMetadata,
  type BuildpackLayersMetadata,
  EMPTY_LAYERS_METADATA,
  formatAnalyzed,
  type ImageIdentifier,
  type LayerMetadata,
  type LayersMetadata,
  type OsDistro,
  parseAnalyzed,
  type RunImage,
  type RunImageForRebase,
  type TargetMetadata,
} from "./analyzed-toml.ts";
export {
  type ApiKind,
  ApiVersion,
  DEPRECATED_BUILDPACK_APIS,
  DEPRECATED_PLATFORM_APIS,
  isDeprecated,
  isSupported,
  SUPPORTED_BUILDPACK_APIS,
  SUPPORTED_PLATFORM_APIS,
} from "./apis.ts";
export {
  type BuildPlan,
  type BuildPlanSections,
  type Provide,
  parseBuildPlan,
  type Require,
} from "./build-plan.ts";
export { type BomEntry, type BuildToml, formatLegacySbom, parseBuildToml } from "./build-toml.ts";
export { type BuildpackPlan, formatBuildpackPlan, parseBuildpackPlan } from "./buildpack-plan.ts";
export {
  type BuildpackDescriptor,
  type BuildpackInfo,
  buildpackTargets,
  type ModuleInfo,
  parseBuildpackDescriptor,
  type Target,
  type TargetDistro,
} from "./buildpack-toml.ts";
export {
  BUILDPACK_LAYERS_LABEL,
  BUILDPACKAGE_METADATA_LABEL,
  type PackagedBuildpack,
  parseBuildpackageLabel,
  parseBuildpackLayersLabel,
  parsePackageDependencies,
} from "./buildpackage.ts";
export { decodeText } from "./decode-text.ts";
export { DEFAULTS, ENV, LAYERS_PLACEHOLDER, MODULE_ENV } from "./environment.ts";
export { type ExtendArg, type ExtendConfig, parseExtendConfig, refuseReservedArgs } from "./extend-config-toml.ts";
export { type ExtensionDescriptor, extensionTargets, parseExtensionDescriptor } from "./extension-toml.ts";
export { FormatError, type FormatErrorDetails } from "./format-error.ts";
export { formatGoDuration, parseGoDuration } from "./go-duration.ts";
export { formatGroup, type Group, type GroupElement, parseGroup } from "./group-toml.ts";
export {
  BASE_DISTRO_NAME_LABEL,
  BASE_DISTRO_VERSION_LABEL,
  BASE_ID_LABEL,
  BASE_LABEL_PREFIX,
  BUILD_METADATA_LABEL,
  BUILDER_METADATA_LABEL,
  CACHE_METADATA_LABEL,
  type CacheMetadata,
  EXEC_ENV_LABEL,
  formatCacheMetadata,
  formatLayersMetadataLabel,
  formatRebaseMetadataLabel,
  type LauncherMetadata,
  LIFECYCLE_APIS_LABEL,
  LIFECYCLE_METADATA_LABEL,
  LIFECYCLE_VERSION_LABEL,
  PROJECT_METADATA_LABEL,
  parseCacheMetadata,
  parseLayersMetadataLabel,
  parseMixinsLabel,
  parseRebaseMetadataLabel,
  REBASABLE_LABEL,
  type RebaseMetadata,
  STACK_ID_LABEL,
  STACK_LABEL_PREFIX,
  STACK_MIXINS_LABEL,
} from "./labels.ts";
export { type Label, type LaunchProcess, type LaunchToml, parseLaunchToml, type Slice } from "./launch-toml.ts";
export { formatRestoredLayerToml, type LayerToml, parseLayerToml } from "./layer-toml.ts";
export {
  type ApiSet,
  formatLifecycleDescriptor,
  type LifecycleDescriptor,
  parseLifecycleDescriptor,
} from "./lifecycle-toml.ts";
export {
  type BuildMetadata,
  formatBuildMetadata,
  formatBuildMetadataLabel,
  type Process,
  parseBuildMetadata,
  parseBuildMetadataLabel,
} from "./metadata-toml.ts";
export { formatOrder, type Order, type OrderGroup, parseOrder } from "./order-toml.ts";
export { formatPlan, type Plan, type PlanEntry, parsePlan } from "./plan-toml.ts";
export {
  formatPrepared,
  type Prepared,
  type PreparedBuildpack,
  type PreparedOutput,
  parsePrepared,
} from "./prepared-toml.ts";
export {
  formatProjectMetadata,
  formatProjectMetadataLabel,
  type ProjectMetadata,
  type ProjectSource,
  parseProjectMetadata,
} from "./project-metadata-toml.ts";
export { projectJsonSchema } from "./project-schema.ts";
export {
  type InlineScript,
  PROJECT_SCHEMA_VERSIONS,
  type ProjectBuildpack,
  type ProjectDescriptor,
  type ProjectEnvVar,
  parseProject,
  type ReadProject,
} from "./project-toml.ts";
export { parseRegistryIndex, type RegistryEntry, registryIndexPath } from "./registry-index.ts";
export { formatReport, type ImageReport, parseReport, type Report } from "./report-toml.ts";
export { formatRun, parseRun, type Run, type RunImageForExport } from "./run-toml.ts";
export { formatStack, parseStack, type Stack } from "./stack-toml.ts";
export { formatStoreToml, parseStoreToml, type StoreToml } from "./store-toml.ts";
export { parseSystem, type System, type SystemBuildpack } from "./system-toml.ts";
export { parseToml } from "./toml.ts";
export { MAX_TOML_LENGTH } from "./toml-scanner.ts";
export { TomlDateTime, type TomlDateTimeKind, type TomlTable, type TomlValue } from "./toml-value.ts";
