import { mkdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Env } from "@lifecycle/env";
import { nodeEnvFs } from "@lifecycle/env/node";
import { ApiVersion, type BuildpackPlan, formatBuildpackPlan, MODULE_ENV } from "@lifecycle/spec-types";
import type { LiveOutput } from "./live-output.ts";
import type { Logger } from "./logger.ts";
import { type Extension, escapeId } from "./module.ts";
import { describeEnd, runLive } from "./program.ts";
import { withTempDir } from "./temp-dir.ts";

/** What every bin/generate is given. Paths are absolute. */
export interface GenerateInputs {
  readonly appDir: string;
  readonly platformDir: string;
  readonly buildConfigDir: string;
  readonly env: Env;
  /** The `CNB_TARGET_*` variables. */
  readonly targetEnv: Readonly<Record<string, string>>;
  /** Gives where the output of that extension goes. */
  readonly output: (extension: Extension) => LiveOutput;
}

/** A bin/generate that failed or could not be started. */
export class ExtensionError extends Error {
  override readonly name = "ExtensionError";
}

/**
 * Runs bin/generate of an extension; one that has none brings its output along, in its `generate` directory. Image
 * extension spec, "Generation".
 *
 * @param plan what the extension is to provide
 * @param outputDir where bin/generate is to write; made if it is not there
 * @returns the directory with what was generated: `outputDir` or the extension's `generate`, which need not exist
 * @throws ExtensionError if bin/generate fails
 */
export async function generate(
  extension: Extension,
  plan: BuildpackPlan,
  outputDir: string,
  inputs: GenerateInputs,
  logger: Logger,
): Promise<string> {
  logger.debug("Creating plan directory");
  const directoryName = escapeId(extension.info.id);
  return withTempDir(`${directoryName}-`, async (planDir) => {
    logger.debug("Preparing paths");
    mkdirSync(outputDir, { recursive: true });
    const planPath = join(planDir, directoryName, "plan.toml");
    mkdirSync(join(planDir, directoryName));
    writeFileSync(planPath, formatBuildpackPlan(plan));

    logger.debug("Running generate command");
    const path = join(extension.dir, "bin", "generate");
    if (statSync(path, { throwIfNoEntry: false }) === undefined) return join(extension.dir, "generate");
    const args = [outputDir, inputs.platformDir, planPath];
    const env = generateEnv(extension, outputDir, planPath, inputs);
    const end = await runLive({ path, args, cwd: inputs.appDir, env }, inputs.output(extension));
    if (end.kind !== "exited" || end.code !== 0) throw new ExtensionError(describeEnd(end));

    logger.debug("Reading output files");
    return outputDir;
  });
}

function generateEnv(
  extension: Extension,
  outputDir: string,
  planPath: string,
  inputs: GenerateInputs,
): Record<string, string> {
  const { platformDir, buildConfigDir } = inputs;
  const overrides = extension.info.clearEnv ? { buildConfigDir } : { platformDir, buildConfigDir };
  const env = inputs.env.withOverrides(overrides, nodeEnvFs).toObject();
  env[MODULE_ENV.bpPlanPath] = planPath;
  env[MODULE_ENV.extensionDir] = extension.dir;
  env[MODULE_ENV.outputDir] = outputDir;
  env[MODULE_ENV.platformDir] = platformDir;
  if (ApiVersion.parse(extension.api).atLeast("0.10")) Object.assign(env, inputs.targetEnv);
  return env;
}
