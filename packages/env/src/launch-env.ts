import { Env, type RootDirMap } from "./env.ts";
import { parseEnviron } from "./environ.ts";

/** Variables that are meant for the launcher alone. Platform spec, "Launch Environment", and the reference. */
export const LAUNCH_ENV_EXCLUDELIST: readonly string[] = [
  "CNB_LAYERS_DIR",
  "CNB_APP_DIR",
  "CNB_PROCESS_TYPE",
  "CNB_PLATFORM_API",
  "CNB_DEPRECATION_MODE",
];

/** Directories of a launch layer and the variables that list them. Buildpack spec, "Layer Paths". */
export const LAUNCH_ROOT_DIRS: RootDirMap = new Map([
  ["bin", ["PATH"]],
  ["lib", ["LD_LIBRARY_PATH"]],
]);

/**
 * The environment of an application process before layers and exec.d change it: all of the launcher's own but what is
 * listed above, and PATH without the directories of the process links and of the launcher.
 *
 * @param environ the launcher's environment as `NAME=value`
 */
export function newLaunchEnv(environ: Iterable<string>, processDir: string, lifecycleDir: string): Env {
  const vars = parseEnviron(environ);
  for (const name of LAUNCH_ENV_EXCLUDELIST) vars.delete(name);
  const path = vars.get("PATH");
  if (path !== undefined) {
    const kept = path.split(":").filter((dir) => dir !== processDir && dir !== lifecycleDir);
    vars.set("PATH", kept.join(":"));
  }
  return new Env(vars, LAUNCH_ROOT_DIRS);
}
