import { join } from "node:path";
import { DEFAULTS, ENV, LAYERS_PLACEHOLDER, type Prepared } from "@lifecycle/spec-types";
import { messageOf } from "@lifecycle/syscall";
import { readPrepared } from "./files.ts";
import type { Environment, Inputs } from "./inputs.ts";
import type { Logger } from "./logger.ts";

/**
 * Fills in what the preparer left for later phases, where neither flag nor variable says otherwise: where buildpacks
 * are, the run images, how much is logged, the default process.
 */
export function applyPrepared(inputs: Inputs, env: Environment, argv: readonly string[], logger: Logger): void {
  const path = DEFAULTS.preparedPath.replace(LAYERS_PLACEHOLDER, () => inputs.layersDir);
  let prepared: Prepared | undefined;
  try {
    prepared = readPrepared(path);
  } catch (error) {
    logger.warn(`Ignoring ${path}: ${messageOf(error)}`);
  }
  if (prepared !== undefined) takePrepared(inputs, prepared, env, argv);
}

/** As {@link applyPrepared}, from what the preparer decided in this process. */
export function takePrepared(inputs: Inputs, prepared: Prepared, env: Environment, argv: readonly string[]): void {
  const isGiven = (flag: string, variable: string): boolean =>
    Boolean(env[variable]) || argv.some((arg) => new RegExp(`^--?${flag}(=|$)`).test(arg));
  const wrote = (name: string): string | undefined =>
    prepared.outputs.map(({ path }) => path).find((path) => path === join(inputs.layersDir, name));
  const { logLevel, processType } = prepared.lifecycle;
  if (!isGiven("buildpacks", ENV.buildpacksDir)) inputs.buildpacksDir = prepared.buildpacksDir;
  if (logLevel !== undefined && !isGiven("log-level", ENV.logLevel)) inputs.logLevel = logLevel;
  inputs.defaultProcessType ||= processType ?? "";
  if (!isGiven("run", ENV.runPath)) inputs.runPath = wrote("run.toml") ?? inputs.runPath;
  if (!isGiven("stack", ENV.stackPath)) inputs.stackPath = wrote("stack.toml") ?? inputs.stackPath;
}
