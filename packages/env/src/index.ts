export { BUILD_ENV_INCLUDELIST, BUILD_ROOT_DIRS, newBuildEnv } from "./build-env.ts";
export { type ActionType, Env, type EnvOverrides, LAYER_DEFAULT_ACTION, type RootDirMap } from "./env.ts";
export type { DirEntry, EnvFs, FileKind } from "./env-fs.ts";
export { formatEnviron, parseEnviron } from "./environ.ts";
export { LAUNCH_ENV_EXCLUDELIST, LAUNCH_ROOT_DIRS, newLaunchEnv } from "./launch-env.ts";
export { joinPath } from "./path.ts";
