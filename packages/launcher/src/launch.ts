import { type Env, joinPath, LAYER_DEFAULT_ACTION } from "@lifecycle/env";
import { runExecD } from "./exec-d.ts";
import type { Host } from "./host.ts";
import { step } from "./launch-error.ts";
import { lookPath } from "./look-path.ts";
import type { LaunchBuildpack, StartCommand } from "./process.ts";
import { findShell, shellArguments } from "./shell.ts";

/** What a process is started with. */
export interface LaunchInputs {
  readonly start: StartCommand;
  /** The launch environment without what the layers add to it; changed here. */
  readonly env: Env;
  readonly buildpacks: readonly LaunchBuildpack[];
  /** Absolute paths. */
  readonly layersDir: string;
  readonly appDir: string;
  /** Name by which the launcher was started, `$0` to profile scripts. */
  readonly self: string;
}

/**
 * Prepares the environment and becomes the process: platform spec, "launcher", "Execution".
 *
 * @throws Error if it cannot; whatever is thrown, the process has not started
 */
export function launch(inputs: LaunchInputs, host: Host): never {
  const { start, env, appDir } = inputs;
  step("change to app directory", () => host.chdir(appDir));
  const layers = step("find layers", () => layersOf(inputs, host));
  step("modify env", () => addLayerEnv(layers, start.type, env, host));
  step("exec.d", () => {
    for (const path of filesOf(layers.flat(), "exec.d", start.type, host)) runExecD(path, env, host);
  });
  const workingDirectory = absolutePath(start.workingDirectory ?? "", appDir);
  return start.direct
    ? launchDirectly(start, env, workingDirectory, host)
    : launchWithShell(inputs, layers.flat(), workingDirectory, host);
}

function launchDirectly({ type, command, args }: StartCommand, env: Env, workingDirectory: string, host: Host): never {
  const [program] = command;
  if (program === undefined) throw new Error(`no command provided for process type "${type}"`);
  // A relative command is one of the process's working directory, so go there before looking for it.
  step("change directory", () => host.chdir(workingDirectory));
  const path = step("path lookup", () => lookPath(program, env.get("PATH") ?? "", host));
  return step("direct exec", () => host.execve(path, [...command, ...args], env.list()));
}

function launchWithShell(inputs: LaunchInputs, layers: readonly string[], workingDirectory: string, host: Host): never {
  const { start, env, appDir, self } = inputs;
  const profiles = step("find profiles", () => {
    const paths = filesOf(layers, "profile.d", start.type, host);
    const appProfile = joinPath(appDir, ".profile");
    return host.stat(appProfile) === "file" ? [...paths, appProfile] : paths;
  });
  const shell = findShell((path) => host.stat(path) !== undefined);
  const args = shellArguments(shell, self, { ...start, profiles, workingDirectory, command: start.command.join(" ") });
  return step(`${shell.name} exec`, () => host.execve(shell.path, args, env.list()));
}

/** Directories of the launch layers by buildpack, in the order of the build, each buildpack's by name. */
function layersOf({ buildpacks, layersDir }: LaunchInputs, host: Host): string[][] {
  return buildpacks.map(({ id }) => {
    const dir = joinPath(layersDir, id.replaceAll("/", "_"));
    return children(dir, (kind) => kind === "directory", host);
  });
}

function addLayerEnv(layers: readonly string[][], processType: string | undefined, env: Env, host: Host): void {
  for (const layersOfBuildpack of layers) {
    for (const layer of layersOfBuildpack) env.addRootDir(layer, host);
    for (const layer of layersOfBuildpack) {
      env.addEnvDir(joinPath(layer, "env"), LAYER_DEFAULT_ACTION, host);
      env.addEnvDir(joinPath(layer, "env.launch"), LAYER_DEFAULT_ACTION, host);
      if (processType) env.addEnvDir(joinPath(layer, "env.launch", processType), LAYER_DEFAULT_ACTION, host);
    }
  }
}

/** Files of a directory of every layer, by layer and name: those for all processes, then those for this one. */
function filesOf(layers: readonly string[], dir: string, processType: string | undefined, host: Host): string[] {
  const dirs = processType ? [dir, joinPath(dir, processType)] : [dir];
  const isFile = (kind: string) => kind !== "directory";
  return dirs.flatMap((dir) => layers.flatMap((layer) => children(joinPath(layer, dir), isFile, host)));
}

/** Paths of a directory's entries of a kind, by name; none if it does not exist. */
function children(dir: string, accept: (kind: string) => boolean, host: Host): string[] {
  const entries = step(`failed to list files in dir '${dir}'`, () => host.readDir(dir) ?? []);
  return entries
    .filter(({ kind }) => accept(kind))
    .map(({ name }) => joinPath(dir, name))
    .sort();
}

/** A path as seen from a directory, which "" leads to. */
export function absolutePath(path: string, from: string): string {
  return path.startsWith("/") ? path : joinPath(from, path);
}
