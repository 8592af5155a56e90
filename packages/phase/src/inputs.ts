import { type ApiVersion, DEFAULTS, ENV, parseGoDuration } from "@lifecycle/spec-types";
import { LifecycleError } from "./errors.ts";
import { ExitCode } from "./exit-codes.ts";

/**
 * All that a platform can tell the lifecycle, over all phases and Platform APIs (platform.md, "Inputs" of each phase).
 * Paths are absolute once resolved; empty strings mean "not given".
 */
export interface Inputs {
  readonly platformApi: ApiVersion;
  analyzedPath: string;
  appDir: string;
  /** Where the preparer puts the application's files; empty: `appDir` itself. */
  appOutDir: string;
  buildConfigDir: string;
  buildImage: string;
  /** Base of the buildpack registry's index. */
  buildpackRegistry: string;
  buildpacksDir: string;
  /** Where the preparer puts buildpacks when it cannot put them into `buildpacksDir`. */
  buildpacksOutDir: string;
  cacheDir: string;
  cacheImage: string;
  defaultProcessType: string;
  deprecatedRunImage: string;
  execEnv: string;
  /** Which image the extender extends: `build` or `run`. */
  extendKind: string;
  extendedDir: string;
  extensionsDir: string;
  /** Rebase even where the new run image may not fit. */
  forceRebase: boolean;
  generatedDir: string;
  gid: number;
  groupPath: string;
  insecureRegistries: string[];
  /** After how many seconds a layer that the extender kept is not taken any more. */
  kanikoCacheTtl: number;
  kanikoDir: string;
  launchCacheDir: string;
  launcherPath: string;
  launcherSbomDir: string;
  layersDir: string;
  layoutDir: string;
  /** `json` or `text`; empty means text. */
  logFormat: string;
  logLevel: string;
  /** How many bytes the files of one archive may have together. */
  maxBytes: number;
  /** How many entries one archive may have. */
  maxEntries: number;
  noColor: boolean;
  orderPath: string;
  /** The image argument: where the app image goes. */
  outputImage: string;
  parallelExport: boolean;
  planPath: string;
  platformDir: string;
  /** Creator: run the preparer first. */
  prepare: boolean;
  previousImage: string;
  /** Empty: project.toml in the application, if there is one. */
  projectDescriptorPath: string;
  projectMetadataPath: string;
  reportPath: string;
  runImage: string;
  runPath: string;
  skipBuildpacks: boolean;
  skipConfig: boolean;
  skipEnv: boolean;
  skipFiles: boolean;
  skipLayers: boolean;
  skipProjectMetadata: boolean;
  stackPath: string;
  systemPath: string;
  /** Further names for the app image, beside `outputImage`. */
  tags: string[];
  uid: number;
  useDaemon: boolean;
  useLayout: boolean;
}

/** The variables of the execution environment. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** The inputs as the environment gives them, else their defaults; flags come on top. */
export function inputsFromEnvironment(platformApi: ApiVersion, env: Environment): Inputs {
  const text = (name: keyof typeof ENV, fallback = ""): string => env[ENV[name]] || fallback;
  const defaultTtl = parseGoDuration(DEFAULTS.kanikoCacheTtl) ?? 0;
  const withDefault = (name: keyof typeof ENV & Exclude<keyof typeof DEFAULTS, "maxBytes" | "maxEntries">): string =>
    text(name, DEFAULTS[name]);
  return {
    platformApi,
    analyzedPath: withDefault("analyzedPath"),
    appDir: withDefault("appDir"),
    appOutDir: text("appOutDir"),
    buildConfigDir: withDefault("buildConfigDir"),
    buildImage: text("buildImage"),
    buildpackRegistry: withDefault("buildpackRegistry"),
    buildpacksDir: withDefault("buildpacksDir"),
    buildpacksOutDir: text("buildpacksOutDir"),
    cacheDir: text("cacheDir"),
    cacheImage: text("cacheImage"),
    defaultProcessType: text("processType"),
    deprecatedRunImage: "",
    execEnv: withDefault("execEnv"),
    extendKind: withDefault("extendKind"),
    extendedDir: withDefault("extendedDir"),
    extensionsDir: withDefault("extensionsDir"),
    forceRebase: boolean(text("forceRebase")),
    generatedDir: withDefault("generatedDir"),
    gid: integer(text("groupId")),
    groupPath: withDefault("groupPath"),
    insecureRegistries: list(text("insecureRegistries")),
    kanikoCacheTtl: parseGoDuration(text("kanikoCacheTtl")) ?? defaultTtl,
    kanikoDir: "/kaniko",
    launchCacheDir: text("launchCacheDir"),
    launcherPath: DEFAULTS.launcherPath,
    launcherSbomDir: DEFAULTS.launcherSbomDir,
    layersDir: withDefault("layersDir"),
    layoutDir: text("layoutDir"),
    logFormat: text("logFormat"),
    logLevel: withDefault("logLevel"),
    maxBytes: integer(text("maxBytes")) || DEFAULTS.maxBytes,
    maxEntries: integer(text("maxEntries")) || DEFAULTS.maxEntries,
    noColor: boolean(text("noColor")) || Boolean(env.NO_COLOR),
    orderPath: withDefault("orderPath"),
    outputImage: "",
    parallelExport: boolean(text("parallelExport")),
    planPath: withDefault("planPath"),
    platformDir: withDefault("platformDir"),
    prepare: boolean(text("prepare")),
    previousImage: text("previousImage"),
    projectDescriptorPath: text("projectDescriptorPath"),
    projectMetadataPath: withDefault("projectMetadataPath"),
    reportPath: withDefault("reportPath"),
    runImage: text("runImage"),
    runPath: withDefault("runPath"),
    skipBuildpacks: boolean(text("skipBuildpacks")),
    skipConfig: boolean(text("skipConfig")),
    skipEnv: boolean(text("skipEnv")),
    skipFiles: boolean(text("skipFiles")),
    skipLayers: boolean(text("skipLayers")) || boolean(text("skipRestore")),
    skipProjectMetadata: boolean(text("skipProjectMetadata")),
    stackPath: withDefault("stackPath"),
    systemPath: withDefault("systemPath"),
    tags: [],
    uid: integer(text("userId")),
    useDaemon: boolean(text("useDaemon")),
    useLayout: boolean(text("useLayout")),
  };
}

/** The flags that take numbers, and the inputs that their variables are. */
const numbers = { uid: "userId", gid: "groupId", "max-bytes": "maxBytes", "max-entries": "maxEntries" } as const;

/**
 * Refuses a variable that has to be a number and is none. As 0, which Go takes it for, it would be root.
 *
 * @param flags those that the executable has; variables that it does not read may be anything
 * @throws LifecycleError with exit code 3
 */
export function verifyNumbers(env: Environment, flags: readonly string[]): void {
  for (const [flag, input] of Object.entries(numbers)) {
    const text = env[ENV[input]];
    if (flags.includes(flag) && text && parseInteger(text) === undefined) {
      throw new LifecycleError(
        `failed to parse ${ENV[input]}: ${JSON.stringify(text)} is no number`,
        ExitCode.invalidArgs,
      );
    }
  }
}

const trueTexts = new Set(["1", "t", "T", "TRUE", "true", "True"]);
const falseTexts = new Set(["0", "f", "F", "FALSE", "false", "False"]);

/** Reads a boolean in the spellings that Go accepts, on which platforms rely; undefined for any other text. */
export function parseBoolean(text: string): boolean | undefined {
  return trueTexts.has(text) ? true : falseTexts.has(text) ? false : undefined;
}

/** Reads a decimal integer that a double holds exactly; undefined for any other text. */
function parseInteger(text: string): number | undefined {
  const value = /^[+-]?\d+$/.test(text) ? Number(text) : Number.NaN;
  return Number.isSafeInteger(value) ? value : undefined;
}

function boolean(text: string): boolean {
  return parseBoolean(text) ?? false;
}

function integer(text: string): number {
  return parseInteger(text) ?? 0;
}

function list(text: string): string[] {
  return text
    .split(",")
    .map((each) => each.trim())
    .filter((each) => each !== "");
}
