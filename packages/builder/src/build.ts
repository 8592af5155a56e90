import { rmSync } from "node:fs";
import { join } from "node:path";
import {
  type BuildOutputs,
  type Buildpack,
  BuildpackError,
  BuildTarget,
  build as buildWith,
  DirStore,
  descriptorOutput,
  lineOutput,
  nameOf,
  ProcessMap,
  planFor,
  targetEnv,
  withoutMet,
} from "@lifecycle/buildpack";
import { formatEnviron, newBuildEnv } from "@lifecycle/env";
import {
  ExitCode,
  failedTo,
  type Inputs,
  inContext,
  type PhaseContext,
  timed,
  writeBuildMetadata,
  writeFileAtomic,
} from "@lifecycle/phase";
import {
  type BomEntry,
  type BuildMetadata,
  formatLegacySbom,
  type Group,
  type Plan,
  type TargetMetadata,
} from "@lifecycle/spec-types";
import { copySbomFiles } from "./copy-sbom-files.ts";

/** What the builder works on. Paths are absolute. */
export type BuildOptions = Pick<
  Inputs,
  "appDir" | "buildConfigDir" | "buildpacksDir" | "execEnv" | "layersDir" | "noColor" | "platformApi" | "platformDir"
> &
  Pick<PhaseContext, "env" | "logger"> & {
    readonly group: Group;
    readonly plan: Plan;
    /** The run image's target as analyzed.toml has it. */
    readonly runImageTarget: TargetMetadata | undefined;
  };

const standardOutput = 1;

/**
 * Runs bin/build of each buildpack of the group, one after the other, with their output on standard output; collects
 * their SBOM files in `<layers>/sbom` and writes `<layers>/config/metadata.toml`. Platform spec, "builder".
 *
 * @throws LifecycleError with exit code 51 if a buildpack fails, 52 if what it left cannot be used
 */
export async function build(options: BuildOptions): Promise<BuildMetadata> {
  const { layersDir, platformApi, logger } = options;
  const metadata = await timed("Builder", logger, () => runBuildpacks(options)).catch((error: unknown) => {
    const exitCode = error instanceof BuildpackError ? ExitCode.failedBuildWithErrors : ExitCode.buildError;
    throw failedTo("build", error, exitCode);
  });
  writeBuildMetadata(layersDir, metadata, platformApi);
  return metadata;
}

async function runBuildpacks(options: BuildOptions): Promise<BuildMetadata> {
  const { group, layersDir, platformApi, logger } = options;
  removeSbomDir(layersDir);
  const processes = new ProcessMap();
  const outputs = await runInOrder(options, processes);

  if (platformApi.atLeast("0.8")) {
    logger.debug("Copying SBOM files");
    await copySbomFiles(
      outputs.flatMap(({ sbomFiles }) => sbomFiles),
      join(layersDir, "sbom"),
    );
  }
  let bom = outputs.flatMap(({ launchBom }) => launchBom);
  if (platformApi.atLeast("0.9")) {
    logger.debug("Creating SBOM files for legacy BOM");
    writeLegacyBom(layersDir, "launch", bom);
    writeLegacyBom(
      layersDir,
      "build",
      outputs.flatMap(({ buildBom }) => buildBom),
    );
    bom = [];
  }
  logger.debug("Listing processes");
  return {
    bom,
    buildpacks: group.group,
    extensions: group.groupExtensions.map(({ extension: _, optional: __, ...element }) => element),
    labels: outputs.flatMap(({ labels }) => labels),
    processes: processes.list(),
    slices: outputs.flatMap(({ slices }) => slices),
    ...(processes.defaultType ? { buildpackDefaultProcessType: processes.defaultType } : {}),
  };
}

async function runInOrder(options: BuildOptions, processes: ProcessMap): Promise<readonly BuildOutputs[]> {
  const { group, logger, noColor } = options;
  const store = new DirStore(options);
  const inputs = {
    ...options,
    env: newBuildEnv(formatEnviron(options.env)),
    targetEnv: targetEnv(new BuildTarget(options.runImageTarget, logger).get()),
    output: ({ info }: Buildpack) =>
      logger.isJson
        ? lineOutput((line) => logger.info(line, { buildpack: nameOf(info) }))
        : descriptorOutput(standardOutput, noColor),
  };
  const outputs: BuildOutputs[] = [];
  let { plan } = options;
  for (const element of group.group) {
    logger.debug(`Running build for buildpack ${nameOf(element)}`);
    logger.debug("Looking up buildpack");
    const buildpack = store.lookupBuildpack(element.id, element.version);
    logger.debug("Finding plan");
    const output = await buildWith(buildpack, planFor("Buildpack", element.id, plan), inputs, logger);
    logger.debug("Updating buildpack processes");
    plan = withoutMet(plan, output.metRequires);
    outputs.push(output);
    logger.debug("Updating process list");
    const warning = processes.add(output.processes);
    if (warning !== undefined) logger.warn(warning);
    logger.debug(`Finished running build for buildpack ${nameOf(element)}`);
  }
  return outputs;
}

function removeSbomDir(layersDir: string): void {
  try {
    rmSync(join(layersDir, "sbom"), { recursive: true, force: true });
  } catch (error) {
    throw inContext("cleaning layers SBOM directory", error);
  }
}

function writeLegacyBom(layersDir: string, type: "build" | "launch", bom: readonly BomEntry[]): void {
  try {
    writeFileAtomic(join(layersDir, "sbom", type, "sbom.legacy.json"), formatLegacySbom(bom));
  } catch (error) {
    throw inContext(`encoding ${type} bom`, error);
  }
}
