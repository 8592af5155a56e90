import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Env, LAYER_DEFAULT_ACTION } from "@lifecycle/env";
import { nodeEnvFs } from "@lifecycle/env/node";
import {
  ApiVersion,
  type BomEntry,
  type BuildpackPlan,
  type BuildToml,
  formatBuildpackPlan,
  type Label,
  type LaunchToml,
  type LayerToml,
  MODULE_ENV,
  type Process,
  parseBuildToml,
  parseLaunchToml,
  type Slice,
} from "@lifecycle/spec-types";
import { messageOf } from "@lifecycle/syscall";
import { readLayerToml } from "./layers-dir.ts";
import type { LiveOutput } from "./live-output.ts";
import type { Logger } from "./logger.ts";
import { type Buildpack, escapeId } from "./module.ts";
import { readOutputFile } from "./output-file.ts";
import { describeEnd, runLive } from "./program.ts";
import { readDirSorted } from "./read-dir.ts";
import { collectSbomFiles, listSbomFiles, type SbomFile } from "./sbom.ts";
import { withTempDir } from "./temp-dir.ts";

/** What every bin/build is given. Paths are absolute. */
export interface BuildInputs {
  readonly appDir: string;
  readonly layersDir: string;
  readonly platformDir: string;
  readonly buildConfigDir: string;
  /** Environment so far; `build` adds what the buildpack's build layers contribute. */
  readonly env: Env;
  /** The `CNB_TARGET_*` variables. */
  readonly targetEnv: Readonly<Record<string, string>>;
  /** The execution environment; empty if there is none. */
  readonly execEnv: string;
  /** Gives where the output of that buildpack goes. */
  readonly output: (buildpack: Buildpack) => LiveOutput;
}

/** What a buildpack contributed besides its layers. */
export interface BuildOutputs {
  /** Names of the plan entries that it met; nobody after it is asked for them. */
  readonly metRequires: readonly string[];
  readonly buildBom: readonly BomEntry[];
  readonly launchBom: readonly BomEntry[];
  readonly sbomFiles: readonly SbomFile[];
  readonly labels: readonly Label[];
  readonly processes: readonly Process[];
  readonly slices: readonly Slice[];
}

/** A bin/build that failed or could not be started. */
export class BuildpackError extends Error {
  override readonly name = "BuildpackError";
}

/**
 * Runs bin/build of a buildpack and reads what it leaves in its layers directory. Buildpack spec, "Phase #3: Build".
 *
 * @param plan what the buildpack is to provide
 * @throws BuildpackError if bin/build fails
 * @throws Error if what it left is malformed
 */
export async function build(
  buildpack: Buildpack,
  plan: BuildpackPlan,
  inputs: BuildInputs,
  logger: Logger,
): Promise<BuildOutputs> {
  logger.debug("Creating plan directory");
  const directoryName = escapeId(buildpack.info.id);
  return withTempDir(`${directoryName}-`, async (planDir) => {
    logger.debug("Preparing paths");
    const layersDir = join(inputs.layersDir, directoryName);
    mkdirSync(layersDir, { recursive: true });
    const planPath = join(planDir, directoryName, "plan.toml");
    mkdirSync(join(planDir, directoryName));
    writeFileSync(planPath, formatBuildpackPlan(plan));

    logger.debug("Running build command");
    await runBuild(buildpack, layersDir, planPath, inputs);

    logger.debug("Processing layers");
    const layers = processLayers(layersDir);

    logger.debug("Updating environment");
    for (const [path, { build }] of layers) if (build) addLayer(inputs.env, path);

    logger.debug("Reading output files");
    return readOutputs(buildpack, layersDir, plan, layers, logger);
  });
}

async function runBuild(buildpack: Buildpack, layersDir: string, planPath: string, inputs: BuildInputs): Promise<void> {
  const path = join(buildpack.dir, "bin", "build");
  const args = [layersDir, inputs.platformDir, planPath];
  const env = buildEnv(buildpack, layersDir, planPath, inputs);
  const end = await runLive({ path, args, cwd: inputs.appDir, env }, inputs.output(buildpack));
  if (end.kind !== "exited" || end.code !== 0) throw new BuildpackError(describeEnd(end));
}

function buildEnv(
  buildpack: Buildpack,
  layersDir: string,
  planPath: string,
  inputs: BuildInputs,
): Record<string, string> {
  const { platformDir, buildConfigDir } = inputs;
  const api = ApiVersion.parse(buildpack.api);
  const overrides = buildpack.info.clearEnv ? { buildConfigDir } : { platformDir, buildConfigDir };
  const env = inputs.env.withOverrides(overrides, nodeEnvFs).toObject();
  env[MODULE_ENV.buildpackDir] = buildpack.dir;
  if (api.atLeast("0.8")) {
    env[MODULE_ENV.platformDir] = platformDir;
    env[MODULE_ENV.bpPlanPath] = planPath;
    env[MODULE_ENV.layersDir] = layersDir;
  }
  if (api.atLeast("0.10")) Object.assign(env, inputs.targetEnv);
  if (api.atLeast("0.12") && inputs.execEnv !== "") env[MODULE_ENV.execEnv] = inputs.execEnv;
  return env;
}

/** Reads the metadata of all layers; a layer that is for nothing is set aside as `<layer>.ignore`. */
function processLayers(layersDir: string): ReadonlyMap<string, LayerToml> {
  const layers = new Map<string, LayerToml>();
  for (const entry of readDirSorted(layersDir)) {
    if (entry.isDirectory() || !entry.name.endsWith(".toml")) continue;
    const path = join(layersDir, entry.name.slice(0, -".toml".length));
    const layer = inContext("decode layer metadata file", () => readLayerToml(`${path}.toml`));
    if (!layer.launch && !layer.build && !layer.cache) inContext("rename layer directory", () => setAside(path));
    layers.set(path, layer);
  }
  return layers;
}

function inContext<T>(action: string, step: () => T): T {
  try {
    return step();
  } catch (error) {
    throw new Error(`failed to process buildpack layer: failed to ${action}: ${messageOf(error)}`, { cause: error });
  }
}

function setAside(path: string): void {
  if (!existsSync(path)) return;
  // of an earlier build, where the platform keeps the layers directory
  rmSync(`${path}.ignore`, { recursive: true, force: true });
  renameSync(path, `${path}.ignore`);
}

/** Buildpack spec, "Provided by the Buildpacks". */
function addLayer(env: Env, path: string): void {
  env.addRootDir(path, nodeEnvFs);
  env.addEnvDir(join(path, "env"), LAYER_DEFAULT_ACTION, nodeEnvFs);
  env.addEnvDir(join(path, "env.build"), LAYER_DEFAULT_ACTION, nodeEnvFs);
}

function readOutputs(
  buildpack: Buildpack,
  layersDir: string,
  plan: BuildpackPlan,
  layers: ReadonlyMap<string, LayerToml>,
  logger: Logger,
): BuildOutputs {
  const writesSbom = listSbomFiles(layersDir).length > 0;
  const buildToml = readBuildToml(join(layersDir, "build.toml"));
  const buildBom = checkBom(buildpack, buildToml.bom, writesSbom, logger);
  const unmet = buildToml.unmet.map(({ name }) => name);
  checkUnmet(unmet, plan);
  const metRequires = plan.entries.map(({ name }) => name).filter((name) => !unmet.includes(name));
  const sbomFiles = collectSbomFiles(buildpack, layersDir, layers);

  const launchToml = readLaunchToml(join(layersDir, "launch.toml"), buildpack, logger);
  const launchBom = checkBom(buildpack, launchToml.bom, writesSbom, logger);
  const processes = launchToml.processes.map((process) => ({ ...process, buildpackId: buildpack.info.id }));
  const { labels, slices } = launchToml;
  return { metRequires, buildBom, launchBom, sbomFiles, labels, processes, slices };
}

function readBuildToml(path: string): BuildToml {
  const text = readOutputFile(path);
  return text === undefined ? { bom: [], unmet: [] } : parseBuildToml(text, path);
}

function readLaunchToml(path: string, buildpack: Buildpack, logger: Logger): LaunchToml {
  const text = readOutputFile(path);
  if (text === undefined) return { bom: [], labels: [], processes: [], slices: [] };
  return parseLaunchToml(text, path, ApiVersion.parse(buildpack.api), (message) => logger.warn(message));
}

/** The legacy bill of materials with the buildpack as the author of each entry. */
function checkBom(
  { info }: Buildpack,
  entries: readonly BomEntry[],
  writesSbom: boolean,
  logger: Logger,
): readonly BomEntry[] {
  if (entries.length > 0 && !writesSbom) {
    logger.warn(
      "BOM table is deprecated in this buildpack api version, though it remains supported for backwards compatibility. " +
        "Buildpack authors should write BOM information to <layer>.sbom.<ext>, launch.sbom.<ext>, or build.sbom.<ext>.",
    );
  }
  return entries.map((entry) => {
    if (entry.version) {
      throw new Error(
        `bom entry '${entry.name}' has a top level version which is not allowed. ` +
          "The buildpack should instead set metadata.version",
      );
    }
    return { ...entry, buildpack: { id: info.id, version: info.version } };
  });
}

function checkUnmet(unmet: readonly string[], plan: BuildpackPlan): void {
  for (const name of unmet) {
    if (name === "") throw new Error("unmet.name is required");
    if (plan.entries.every((entry) => entry.name !== name)) {
      throw new Error(`unmet.name '${name}' must match a requested dependency`);
    }
  }
}
