import type { ApiVersion, Process } from "@lifecycle/spec-types";

/** A buildpack of the image, in the order of the build, with the API that its layers and processes follow. */
export interface LaunchBuildpack {
  readonly id: string;
  readonly api: ApiVersion;
}

/** What the launcher is to start. */
export interface StartCommand {
  /** Type of the buildpack-provided process; undefined for a command of the user's. */
  readonly type?: string;
  /** Program and its first arguments. */
  readonly command: readonly string[];
  readonly args: readonly string[];
  /** Whether to start it without a shell. */
  readonly direct: boolean;
  /** Undefined for the application directory. */
  readonly workingDirectory?: string | undefined;
}

/** What decides on a start command. */
export interface ProcessSelection {
  /** Type that the launcher was started as; undefined if that is no process type of the image. */
  readonly processType: string | undefined;
  /** What the user gave: arguments to the process of that type, else a command. */
  readonly userArgs: readonly string[];
  readonly processes: readonly Process[];
  readonly buildpacks: readonly LaunchBuildpack[];
  readonly platformApi: ApiVersion;
  /** Execution environment, such as `production`. */
  readonly execEnv: string;
}

/**
 * Derives command, arguments and execution strategy: platform spec, "launcher", "Inputs".
 *
 * @throws Error if the process type has no eligible process, or if there is neither a process type nor a command
 */
export function startCommand(selection: ProcessSelection): StartCommand {
  const { processType, userArgs } = selection;
  if (processType === undefined) return userCommand(userArgs);
  const process = selection.processes.find(
    ({ type, execEnv }) => type === processType && isEligible(execEnv, selection),
  );
  if (process === undefined) throw new Error(`process type ${processType} was not found`);
  return { ...process, ...commandAndArgs(process, selection) };
}

function isEligible(execEnvs: readonly string[] | undefined, selection: ProcessSelection): boolean {
  if (selection.platformApi.lessThan("0.15") || execEnvs === undefined || execEnvs.length === 0) return true;
  return execEnvs.includes("*") || execEnvs.includes(selection.execEnv);
}

function commandAndArgs(process: Process, selection: ProcessSelection): Pick<StartCommand, "command" | "args"> {
  const { userArgs, platformApi } = selection;
  const args = process.args ?? [];
  if (platformApi.lessThan("0.10")) return { command: process.command, args: [...args, ...userArgs] };
  const [program, ...alwaysArgs] = process.command;
  if (program !== undefined && alwaysArgs.length > 0) {
    return { command: [program], args: [...alwaysArgs, ...(userArgs.length > 0 ? userArgs : args)] };
  }
  if (userArgs.length === 0) return { command: process.command, args };
  // Without arguments in the command it cannot be told from the process itself whether the user's replace its own.
  const overridable = buildpackOf(process, selection.buildpacks).api.atLeast("0.9");
  return { command: process.command, args: overridable ? userArgs : [...args, ...userArgs] };
}

function buildpackOf(process: Process, buildpacks: readonly LaunchBuildpack[]): LaunchBuildpack {
  const buildpack = buildpacks.find(({ id }) => id === process.buildpackId);
  if (buildpack === undefined) {
    throw new Error(`failed to find buildpack for process ${process.type} with buildpack ID ${process.buildpackId}`);
  }
  return buildpack;
}

function userCommand(words: readonly string[]): StartCommand {
  const direct = words.length > 1 && words[0] === "--";
  const [program, ...args] = direct ? words.slice(1) : words;
  if (program === undefined) throw new Error("when there is no default process a command is required");
  return { command: [program], args, direct };
}
