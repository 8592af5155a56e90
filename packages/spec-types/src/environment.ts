/**
 * The variables by which a platform configures the lifecycle (platform.md, "Usage"), by the name of what they set.
 * Flags go before them, defaults after.
 */
export const ENV = {
  platformApi: "CNB_PLATFORM_API",
  analyzedPath: "CNB_ANALYZED_PATH",
  appDir: "CNB_APP_DIR",
  /** Of this lifecycle's preparer only, as are all others that say so. */
  appOutDir: "CNB_APP_OUT_DIR",
  buildConfigDir: "CNB_BUILD_CONFIG_DIR",
  buildImage: "CNB_BUILD_IMAGE",
  /** Preparer. */
  buildpackRegistry: "CNB_BUILDPACK_REGISTRY",
  buildpacksDir: "CNB_BUILDPACKS_DIR",
  /** Preparer. */
  buildpacksOutDir: "CNB_BUILDPACKS_OUT_DIR",
  cacheDir: "CNB_CACHE_DIR",
  cacheImage: "CNB_CACHE_IMAGE",
  deprecationMode: "CNB_DEPRECATION_MODE",
  execEnv: "CNB_EXEC_ENV",
  experimentalMode: "CNB_EXPERIMENTAL_MODE",
  extendKind: "CNB_EXTEND_KIND",
  extendedDir: "CNB_EXTENDED_DIR",
  extensionsDir: "CNB_EXTENSIONS_DIR",
  forceRebase: "CNB_FORCE_REBASE",
  generatedDir: "CNB_GENERATED_DIR",
  groupId: "CNB_GROUP_ID",
  groupPath: "CNB_GROUP_PATH",
  insecureRegistries: "CNB_INSECURE_REGISTRIES",
  kanikoCacheTtl: "CNB_KANIKO_CACHE_TTL",
  launchCacheDir: "CNB_LAUNCH_CACHE_DIR",
  layersDir: "CNB_LAYERS_DIR",
  layoutDir: "CNB_LAYOUT_DIR",
  /** `json` or `text`; of this lifecycle only. */
  logFormat: "CNB_LOG_FORMAT",
  logLevel: "CNB_LOG_LEVEL",
  noColor: "CNB_NO_COLOR",
  orderPath: "CNB_ORDER_PATH",
  /** Preparer. */
  maxBytes: "CNB_MAX_BYTES",
  /** Preparer. */
  maxEntries: "CNB_MAX_ENTRIES",
  parallelExport: "CNB_PARALLEL_EXPORT",
  planPath: "CNB_PLAN_PATH",
  platformDir: "CNB_PLATFORM_DIR",
  /** Creator: run the preparer first. */
  prepare: "CNB_PREPARE",
  previousImage: "CNB_PREVIOUS_IMAGE",
  processType: "CNB_PROCESS_TYPE",
  /** Preparer. */
  projectDescriptorPath: "CNB_PROJECT_DESCRIPTOR_PATH",
  projectMetadataPath: "CNB_PROJECT_METADATA_PATH",
  registryAuth: "CNB_REGISTRY_AUTH",
  reportPath: "CNB_REPORT_PATH",
  runImage: "CNB_RUN_IMAGE",
  runPath: "CNB_RUN_PATH",
  /** Preparer. */
  skipBuildpacks: "CNB_SKIP_BUILDPACKS",
  /** Preparer. */
  skipConfig: "CNB_SKIP_CONFIG",
  /** Preparer. */
  skipEnv: "CNB_SKIP_ENV",
  /** Preparer. */
  skipFiles: "CNB_SKIP_FILES",
  skipLayers: "CNB_SKIP_LAYERS",
  /** Preparer. */
  skipProjectMetadata: "CNB_SKIP_PROJECT_METADATA",
  skipRestore: "CNB_SKIP_RESTORE",
  stackId: "CNB_STACK_ID",
  stackPath: "CNB_STACK_PATH",
  systemPath: "CNB_SYSTEM_PATH",
  useDaemon: "CNB_USE_DAEMON",
  useLayout: "CNB_USE_LAYOUT",
  userId: "CNB_USER_ID",
} as const;

/** The variables that buildpacks and extensions receive (buildpack.md, "Environment"; image_extension.md). */
export const MODULE_ENV = {
  /** Where bin/detect writes its build plan. */
  buildPlanPath: "CNB_BUILD_PLAN_PATH",
  buildpackDir: "CNB_BUILDPACK_DIR",
  extensionDir: "CNB_EXTENSION_DIR",
  /** Where bin/build finds its buildpack plan. */
  bpPlanPath: "CNB_BP_PLAN_PATH",
  layersDir: "CNB_LAYERS_DIR",
  /** Where bin/generate writes. */
  outputDir: "CNB_OUTPUT_DIR",
  platformDir: "CNB_PLATFORM_DIR",
  stackId: "CNB_STACK_ID",
  execEnv: "CNB_EXEC_ENV",
  targetOs: "CNB_TARGET_OS",
  targetArch: "CNB_TARGET_ARCH",
  targetArchVariant: "CNB_TARGET_ARCH_VARIANT",
  targetDistroName: "CNB_TARGET_DISTRO_NAME",
  targetDistroVersion: "CNB_TARGET_DISTRO_VERSION",
} as const;

/** What stands for the layers directory in {@link DEFAULTS} until its value is known. */
export const LAYERS_PLACEHOLDER = "<layers>";

/** What holds where neither flag nor variable says otherwise. Where a variable is missing here, the default is none. */
export const DEFAULTS = {
  analyzedPath: `${LAYERS_PLACEHOLDER}/analyzed.toml`,
  appDir: "/workspace",
  buildConfigDir: "/cnb/build-config",
  /** A raw copy of the public index, which needs no git. */
  buildpackRegistry: "https://raw.githubusercontent.com/buildpacks/registry-index/main",
  buildpacksDir: "/cnb/buildpacks",
  deprecationMode: "warn",
  execEnv: "production",
  experimentalMode: "error",
  extendKind: "build",
  extendedDir: `${LAYERS_PLACEHOLDER}/extended`,
  extensionsDir: "/cnb/extensions",
  generatedDir: `${LAYERS_PLACEHOLDER}/generated`,
  groupPath: `${LAYERS_PLACEHOLDER}/group.toml`,
  /** Go duration: two weeks. */
  kanikoCacheTtl: "336h",
  launcherPath: "/cnb/lifecycle/launcher",
  /** Where the SBOM files of the lifecycle and its launcher lie. */
  launcherSbomDir: "/cnb/lifecycle",
  layersDir: "/layers",
  logLevel: "info",
  /** Of the files in one archive that the preparer unpacks: 4 GiB. */
  maxBytes: 4_294_967_296,
  /** In one archive that the preparer unpacks. */
  maxEntries: 250_000,
  /** Tried first; if no file is there, {@link DEFAULTS.builderOrderPath}. */
  orderPath: `${LAYERS_PLACEHOLDER}/order.toml`,
  builderOrderPath: "/cnb/order.toml",
  planPath: `${LAYERS_PLACEHOLDER}/plan.toml`,
  platformDir: "/platform",
  /** Where the preparer puts buildpacks when it cannot put them beside the builder's. */
  preparedDir: `${LAYERS_PLACEHOLDER}/prepared`,
  preparedPath: `${LAYERS_PLACEHOLDER}/prepared.toml`,
  projectMetadataPath: `${LAYERS_PLACEHOLDER}/project-metadata.toml`,
  reportPath: `${LAYERS_PLACEHOLDER}/report.toml`,
  /** Platform API 0.12 and later. */
  runPath: "/cnb/run.toml",
  /** Before Platform API 0.12. */
  stackPath: "/cnb/stack.toml",
  /** Platform API 0.15 and later. */
  systemPath: "/cnb/system.toml",
} as const;
