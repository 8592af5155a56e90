import { joinPath, newLaunchEnv, parseEnviron } from "@lifecycle/env";
import { ApiVersion, DEFAULTS, ENV, isSupported } from "@lifecycle/spec-types";
import type { Host } from "./host.ts";
import { absolutePath, launch } from "./launch.ts";
import { LaunchError, messageOf, step } from "./launch-error.ts";
import { type LaunchMetadata, parseLaunchMetadata } from "./launch-metadata.ts";
import { Log } from "./log.ts";
import { type LaunchBuildpack, startCommand } from "./process.ts";

/** Where images have the launcher, and the links to it whose names are process types. */
const LIFECYCLE_DIR = "/cnb/lifecycle";
const PROCESS_DIR = "/cnb/process";

/** Set when the launcher is built. */
declare const __LIFECYCLE_VERSION__: string;

/**
 * The launcher: reads its name, arguments and environment from `host`, and becomes the process they ask for.
 *
 * @returns the exit code of a launcher that did not become a process
 */
export function main(host: Host): number {
  const vars = parseEnviron(host.environ);
  const log = new Log(host, !isTrue(vars.get(ENV.noColor)) && !vars.get("NO_COLOR"));
  try {
    return run(host, vars, log);
  } catch (error) {
    log.error(messageOf(error));
    return error instanceof LaunchError ? error.exitCode : LaunchError.GENERIC;
  }
}

function run(host: Host, vars: ReadonlyMap<string, string>, log: Log): number {
  const [self = "", ...userArgs] = host.argv;
  const name = self.slice(self.lastIndexOf("/") + 1);
  if (name === "launcher" && !self.startsWith(PROCESS_DIR) && userArgs.length === 1 && userArgs[0] === "-version") {
    host.write(`${__LIFECYCLE_VERSION__}\n`);
    return 0;
  }
  const platformApi = platformApiOf(vars.get(ENV.platformApi) ?? "");
  const cwd = host.getcwd();
  const layersDir = absolutePath(vars.get(ENV.layersDir) || DEFAULTS.layersDir, cwd);
  const { processes, buildpacks } = readMetadata(layersDir, platformApi, host);
  const launchBuildpacks = buildpacks.map(withApi);
  const requested = vars.get(ENV.processType);
  if (requested) {
    log.warn(`${ENV.processType} is not supported in Platform API ${platformApi}`);
    log.warn(`Run with ENTRYPOINT '${requested}' to invoke the '${requested}' process type`);
  }
  try {
    const selection = {
      processType: processes.some(({ type }) => type === name) ? name : undefined,
      userArgs,
      processes,
      buildpacks: launchBuildpacks,
      platformApi,
      execEnv: vars.get(ENV.execEnv) || DEFAULTS.execEnv,
    };
    const start = step("determine start command", () => startCommand(selection));
    return launch(
      {
        start,
        env: newLaunchEnv(host.environ, PROCESS_DIR, LIFECYCLE_DIR),
        buildpacks: launchBuildpacks,
        layersDir,
        appDir: absolutePath(vars.get(ENV.appDir) || DEFAULTS.appDir, cwd),
        self,
      },
      host,
    );
  } catch (error) {
    throw new LaunchError(`failed to launch: ${messageOf(error)}`);
  }
}

function platformApiOf(requested: string): ApiVersion {
  const fail = (reason: string) => new LaunchError(`failed to ${reason}`, LaunchError.INCOMPATIBLE_PLATFORM_API);
  if (requested.trim() === "") {
    throw fail(`get platform API version; please set '${ENV.platformApi}' to specify the desired platform API version`);
  }
  const version = ApiVersion.tryParse(requested);
  if (version === undefined) throw fail(`parse platform API '${requested}'`);
  if (!isSupported("platform", version)) {
    throw fail(`set platform API: platform API version '${requested}' is incompatible with the lifecycle`);
  }
  return version;
}

function withApi({ id, api }: { readonly id: string; readonly api: string }): LaunchBuildpack {
  const fail = (reason: string) => new LaunchError(`failed to ${reason}`, LaunchError.INCOMPATIBLE_BUILDPACK_API);
  const version = ApiVersion.tryParse(api);
  if (version === undefined) throw fail(`parse buildpack API '${api}' for buildpack '${id}'`);
  if (!isSupported("buildpack", version)) {
    const reason = `buildpack API version '${api}' is incompatible with the lifecycle`;
    throw fail(`set API for buildpack '${id}': ${reason}`);
  }
  return { id, api: version };
}

function readMetadata(layersDir: string, platformApi: ApiVersion, host: Host): LaunchMetadata {
  const path = joinPath(layersDir, "config/metadata.toml");
  try {
    const content = host.readFile(path);
    if (content === undefined) throw new Error(`open ${path}: no such file or directory`);
    return parseLaunchMetadata(content, path, platformApi);
  } catch (error) {
    throw new LaunchError(`failed to read metadata: ${messageOf(error)}`);
  }
}

/** Whether a switch is on, in any of the spellings of Go's `strconv.ParseBool`, which platforms know. */
function isTrue(value: string | undefined): boolean {
  return value !== undefined && ["1", "t", "T", "TRUE", "true", "True"].includes(value);
}
