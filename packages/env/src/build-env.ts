import { Env, type RootDirMap } from "./env.ts";
import { parseEnviron } from "./environ.ts";

/** Variables that buildpacks and extensions inherit from the lifecycle's own environment, if they are set there. */
export const BUILD_ENV_INCLUDELIST: readonly string[] = [
  "CNB_STACK_ID",
  "HOSTNAME",
  "HOME",
  "HTTPS_PROXY",
  "https_proxy",
  "HTTP_PROXY",
  "http_proxy",
  "NO_PROXY",
  "no_proxy",
];

/** Directories of a build layer and the variables that list them. Buildpack spec, "Layer Paths". */
export const BUILD_ROOT_DIRS: RootDirMap = new Map([
  ["bin", ["PATH"]],
  ["lib", ["LD_LIBRARY_PATH", "LIBRARY_PATH"]],
  ["include", ["CPATH"]],
  ["pkgconfig", ["PKG_CONFIG_PATH"]],
]);

/**
 * The environment in which the first buildpack or extension runs, before layers and overrides: of the lifecycle's own
 * environment only what is listed above.
 *
 * @param environ the lifecycle's environment as `NAME=value`
 */
export function newBuildEnv(environ: Iterable<string>): Env {
  const inherited = new Set([...BUILD_ENV_INCLUDELIST, ...[...BUILD_ROOT_DIRS.values()].flat()]);
  const vars = [...parseEnviron(environ)].filter(([name]) => inherited.has(name));
  return new Env(vars, BUILD_ROOT_DIRS);
}
