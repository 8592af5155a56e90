import { rmSync } from "node:fs";
import { join } from "node:path";
import {
  BuildTarget,
  DirStore,
  descriptorOutput,
  type Extension,
  ExtensionError,
  escapeId,
  generate as generateWith,
  lineOutput,
  nameOf,
  planFor,
  targetEnv,
  withoutMet,
  withTempDir,
} from "@lifecycle/buildpack";
import { formatEnviron, newBuildEnv } from "@lifecycle/env";
import {
  ExitCode,
  failedTo,
  type Inputs,
  LifecycleError,
  type PhaseContext,
  readAnalyzed,
  readRun,
  timed,
  writeAnalyzed,
  writePlan,
} from "@lifecycle/phase";
import type { Analyzed, GroupElement, Plan, Run } from "@lifecycle/spec-types";
import { type GeneratedDockerfile, readGenerated } from "./generated-dockerfile.ts";
import { placeByKind, placeWhole, setAside } from "./place.ts";
import { chooseRunImage, withRunImage } from "./run-image.ts";

/** What the generator works on. Paths are absolute. */
export type GenerateOptions = Pick<
  Inputs,
  | "analyzedPath"
  | "appDir"
  | "buildConfigDir"
  | "buildpacksDir"
  | "extensionsDir"
  | "generatedDir"
  | "noColor"
  | "planPath"
  | "platformApi"
  | "platformDir"
  | "runPath"
> &
  Pick<PhaseContext, "env" | "logger" | "verifyBuildpackApi"> & {
    /** The image extensions of the group, in its order. */
    readonly extensions: readonly GroupElement[];
    readonly plan: Plan;
    /** What the analyzer found; what analyzed.toml says, if it is not given. */
    readonly analyzed?: Analyzed;
  };

/** What analyzed.toml and plan.toml say after generation. */
export interface Generated {
  readonly analyzed: Analyzed;
  /** Without what the extensions provide. */
  readonly plan: Plan;
}

const standardOutput = 1;

/**
 * Runs bin/generate of each extension and puts the Dockerfiles, with what belongs to them, into `<generated>`; writes
 * to analyzed.toml which run image they choose, and takes what they provide out of plan.toml. Platform spec,
 * "detector"; image extension spec, "Phase: Generation".
 *
 * @throws LifecycleError with exit code 91 if an extension fails, 92 if what it left cannot be used, 12 for an
 *   unsupported Buildpack API
 */
export async function generate(options: GenerateOptions): Promise<Generated> {
  const { logger } = options;
  const { run, analyzed } = initialize(options);
  const generated = await timed("Generator", logger, () => runExtensions(options, run, analyzed)).catch(
    (error: unknown) => {
      const exitCode = error instanceof ExtensionError ? ExitCode.failedGenerateWithErrors : ExitCode.generateError;
      // the action that the reference names
      throw failedTo("build", error, exitCode);
    },
  );
  writeAnalyzed(options.analyzedPath, generated.analyzed, logger);
  writePlan(options.planPath, generated.plan);
  return generated;
}

function initialize({ analyzedPath, extensions, runPath, logger, ...options }: GenerateOptions): {
  run: Run;
  analyzed: Analyzed;
} {
  try {
    for (const extension of extensions) {
      options.verifyBuildpackApi("Extension", nameOf(extension), extension.api ?? "");
    }
    return { run: readRun(runPath, logger), analyzed: options.analyzed ?? readAnalyzed(analyzedPath, logger) };
  } catch (error) {
    if (error instanceof LifecycleError && error.exitCode === ExitCode.incompatibleBuildpackApi) throw error;
    throw failedTo("initialize generator", error, ExitCode.failed);
  }
}

async function runExtensions(options: GenerateOptions, run: Run, analyzed: Analyzed): Promise<Generated> {
  const { generatedDir, platformApi, logger } = options;
  const target = targetEnv(new BuildTarget(analyzed.runImage?.target, logger).get());
  // from Platform API 0.13 on what an extension writes lies where platforms look for it
  const inPlace = platformApi.atLeast("0.13");
  const inOrder = async (outputDir: string): Promise<Generated> => {
    const { dockerfiles, plan } = await runInOrder(options, target, outputDir, inPlace);
    logger.debug("Checking run image");
    const choice = chooseRunImage(dockerfiles, logger);
    const result = { analyzed: withRunImage(analyzed, choice, run, platformApi, logger), plan };
    logger.debug("Copying Dockerfiles");
    if (inPlace) setAside(choice.ignored, generatedDir);
    else placeByKind(dockerfiles, choice.ignored, generatedDir, logger);
    return result;
  };
  return inPlace ? inOrder(generatedDir) : withTempDir("cnb-extensions-generated.", inOrder);
}

async function runInOrder(
  options: GenerateOptions,
  target: Readonly<Record<string, string>>,
  outputDir: string,
  inPlace: boolean,
): Promise<{ dockerfiles: readonly GeneratedDockerfile[]; plan: Plan }> {
  const { logger, noColor } = options;
  const store = new DirStore(options);
  const inputs = {
    ...options,
    env: newBuildEnv(formatEnviron(options.env)),
    targetEnv: target,
    output: ({ info }: Extension) =>
      logger.isJson
        ? lineOutput((line) => logger.info(line, { extension: nameOf(info) }))
        : descriptorOutput(standardOutput, noColor),
  };
  const dockerfiles: GeneratedDockerfile[] = [];
  let { plan } = options;
  for (const element of options.extensions) {
    logger.debug(`Running generate for extension ${nameOf(element)}`);
    logger.debug("Looking up extension");
    const extension = store.lookupExtension(element.id, element.version);
    logger.debug("Finding plan");
    const asked = planFor("Extension", element.id, plan);
    logger.debug("Invoking command");
    const ownDir = join(outputDir, escapeId(element.id));
    // of an earlier build, where the platform keeps the layers directory
    rmSync(ownDir, { recursive: true, force: true });
    const dir = await generateWith(extension, asked, ownDir, inputs, logger);
    dockerfiles.push(...(await readGenerated(extension, dir, logger)));
    if (inPlace && dir !== ownDir) placeWhole(dir, ownDir);
    plan = withoutMet(
      plan,
      asked.entries.map(({ name }) => name),
    );
    logger.debug(`Finished running generate for extension ${nameOf(element)}`);
  }
  return { dockerfiles, plan };
}
