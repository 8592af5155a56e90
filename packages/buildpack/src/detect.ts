import { statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Env } from "@lifecycle/env";
import { nodeEnvFs } from "@lifecycle/env/node";
import { ApiVersion, type BuildPlan, type BuildPlanSections, MODULE_ENV, parseBuildPlan } from "@lifecycle/spec-types";
import { messageOf } from "@lifecycle/syscall";
import type { Module } from "./module.ts";
import { readOutputFile } from "./output-file.ts";
import { describeEnd, runCaptured } from "./program.ts";
import { withTempDir } from "./temp-dir.ts";

/** Exit code of a bin/detect that applies. */
export const detectPass = 0;
/** Exit code of a bin/detect that does not apply. */
export const detectFail = 100;

/** What every bin/detect is given. */
export interface DetectInputs {
  readonly appDir: string;
  readonly platformDir: string;
  readonly buildConfigDir: string;
  /** Base environment. */
  readonly env: Env;
  /** The `CNB_TARGET_*` variables. */
  readonly targetEnv: Readonly<Record<string, string>>;
  /** The execution environment; empty if there is none. */
  readonly execEnv: string;
}

/** How a bin/detect ended. */
export interface DetectRun {
  /** Exit code; undefined if it did not run to its end, or left something that cannot be used. */
  readonly code: number | undefined;
  /** Why there is no exit code, where that is known. */
  readonly error?: string;
  /** Standard output and error together. */
  readonly output: string;
  readonly plan: BuildPlan;
}

/** Most bytes of output that are kept of one bin/detect. */
const outputLimit = 8 * 1024 * 1024;

const emptyPlan: BuildPlan = { provides: [], requires: [], or: [] };

/** The run of a buildpack or extension that ended in error. */
export function erredRun(error: string, output = ""): DetectRun {
  return { code: undefined, error, output, plan: emptyPlan };
}

/**
 * Runs bin/detect of a buildpack or an extension and reads the build plan that it writes. An extension without
 * bin/detect passes with the plan in its `detect` directory. Buildpack spec, "Detection"; image extension spec,
 * "Detection". Never rejects: what goes wrong is part of the result.
 */
export async function detect(module: Module, inputs: DetectInputs): Promise<DetectRun> {
  try {
    return checkPlan(module, await runOrRead(module, inputs));
  } catch (error) {
    return erredRun(messageOf(error));
  }
}

async function runOrRead(module: Module, inputs: DetectInputs): Promise<DetectRun> {
  const program = join(module.dir, "bin", "detect");
  if (module.kind === "Extension" && statSync(program, { throwIfNoEntry: false }) === undefined) {
    const planPath = join(module.dir, "detect", "plan.toml");
    const text = readOutputFile(planPath);
    return { code: detectPass, output: "", plan: text === undefined ? emptyPlan : parseBuildPlan(text, planPath) };
  }
  return withTempDir("plan.", async (planDir) => {
    const planPath = join(planDir, "plan.toml");
    writeFileSync(planPath, "", { mode: 0o600 });
    const env = detectEnv(module, inputs, planPath);
    const args = [inputs.platformDir, planPath];
    const { end, output } = await runCaptured({ path: program, args, cwd: inputs.appDir, env }, outputLimit);
    switch (end.kind) {
      case "notStarted":
        return erredRun(describeEnd(end), output);
      case "signalled":
        return { code: undefined, output, plan: emptyPlan };
      case "exited":
        return end.code === detectPass ? readPlan(planPath, output) : { code: end.code, output, plan: emptyPlan };
    }
  });
}

function readPlan(path: string, output: string): DetectRun {
  try {
    const text = readOutputFile(path);
    if (text === undefined) return erredRun(`open ${path}: no such file or directory`, output);
    return { code: detectPass, output, plan: parseBuildPlan(text, path) };
  } catch (error) {
    return erredRun(messageOf(error), output);
  }
}

function detectEnv(module: Module, inputs: DetectInputs, planPath: string): Record<string, string> {
  const { platformDir, buildConfigDir } = inputs;
  const api = ApiVersion.parse(module.api);
  const overrides = module.info.clearEnv ? { buildConfigDir } : { platformDir, buildConfigDir };
  const env = inputs.env.withOverrides(overrides, nodeEnvFs).toObject();
  env[module.kind === "Buildpack" ? MODULE_ENV.buildpackDir : MODULE_ENV.extensionDir] = module.dir;
  if (api.atLeast("0.8")) {
    env[MODULE_ENV.platformDir] = platformDir;
    env[MODULE_ENV.buildPlanPath] = planPath;
  }
  if (api.atLeast("0.10")) Object.assign(env, inputs.targetEnv);
  if (api.atLeast("0.12") && inputs.execEnv !== "") env[MODULE_ENV.execEnv] = inputs.execEnv;
  return env;
}

/** A plan may name versions in metadata only, and an extension only provides. */
function checkPlan(module: Module, run: DetectRun): DetectRun {
  const sections: readonly BuildPlanSections[] = [run.plan, ...run.plan.or];
  const requires = sections.flatMap((each) => each.requires);
  const who = `${module.kind.toLowerCase()} ${module.info.id}`;
  if (module.kind === "Extension" && requires.length > 0) {
    return { ...run, code: undefined, error: `${who} outputs "requires" which is not allowed` };
  }
  if (requires.some(({ version }) => version)) {
    const error = `${who} has a "version" key which is not supported. "metadata.version" should be used instead`;
    return { ...run, code: undefined, error };
  }
  return run;
}
