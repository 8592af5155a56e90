import { mkdirSync } from "node:fs";
import { build } from "@lifecycle/builder";
import { type DockerfileKind, envMap, RootFileSystem } from "@lifecycle/dockerfile";
import type { ImageConfig } from "@lifecycle/image";
import {
  becomeUser,
  ExitCode,
  environmentForUser,
  type FlagName,
  failedTo,
  type Inputs,
  inContext,
  isPrivileged,
  LifecycleError,
  openRegistry,
  type Phase,
  type PhaseContext,
  readAnalyzed,
  readGroup,
  readPlan,
  requireArguments,
  resolveInputs,
  runPhase,
  shieldCredentials,
  whilst,
} from "@lifecycle/phase";
import type { Analyzed, Group } from "@lifecycle/spec-types";
import { openBase, rootIdentity, type StoredBaseImage } from "./base-image.ts";
import { EXEC_HELPER, type ExtendedImage, extend } from "./extend.ts";
import { openExtendCache, workPlace } from "./extend-cache.ts";
import { requireContainer } from "./in-container.ts";
import { removeExtended, writeExtended } from "./write-extended.ts";

const extender: Phase<void> = {
  name: "extender",

  flags(api) {
    const flags: FlagName[] = [
      "analyzed",
      "app",
      "buildpacks",
      "generated",
      "gid",
      "group",
      "kaniko-cache-ttl",
      "layers",
      "log-level",
      "no-color",
      "plan",
      "platform",
      "uid",
    ];
    if (api.atLeast("0.12")) {
      flags.push("extended", "kind");
    }
    return flags;
  },

  async resolve(context, args) {
    requireArguments(args, 0);
    await resolveInputs("extend", context);
  },

  privileges({ inputs, env }) {
    const refuse = (why: unknown) => failedTo(`extend ${inputs.extendKind} image`, why, ExitCode.extendError);
    if (!isPrivileged()) {
      throw refuse("the extender has to be started as root");
    }
    try {
      requireContainer(env, "extender");
    } catch (error) {
      throw refuse(error);
    }
    if (inputs.extendKind === "build" && inputs.uid === 0) {
      throw failedTo("build", "refusing to run as root", ExitCode.failed);
    }
    // The programs that RUN starts are root, too.
    shieldCredentials();
  },

  async execute(context) {
    const { inputs, logger } = context;
    const { analyzed, group } = await initialize(inputs, logger);
    context.verifyApisOf("Extension", group.groupExtensions);
    if (inputs.extendKind === "build") {
      await extendBuild(context, group, analyzed);
    } else {
      await extendRun(context, group, analyzed);
    }
  },
};

async function initialize(
  { analyzedPath, groupPath }: Inputs,
  logger: PhaseContext["logger"],
): Promise<{ analyzed: Analyzed; group: Group }> {
  try {
    const analyzed = readAnalyzed(analyzedPath, logger);
    return { analyzed, group: await whilst("reading group", () => readGroup(groupPath)) };
  } catch (error) {
    throw failedTo("initialize extender", error);
  }
}

/** Extends the image that this container is of, and builds in it. */
async function extendBuild(context: PhaseContext, group: Group, analyzed: Analyzed): Promise<void> {
  const { inputs, env } = context;
  context.verifyApisOf("Buildpack", group.group);
  const plan = readPlan(inputs.planPath);
  let config: ImageConfig | undefined;
  await extendRoot(context, "build", group, analyzed.buildImage?.reference, async (_, extended) => {
    ({ config } = extended);
  });
  becomeUser(inputs, [inputs.layersDir]);
  // After setuid, since that resets who may look into this process.
  shieldCredentials();
  const extendedEnv = { ...env, ...Object.fromEntries(envMap(config?.config.Env ?? [])) };
  await build({
    ...inputs,
    ...context,
    env: environmentForUser(inputs.uid, extendedEnv),
    group,
    plan,
    runImageTarget: analyzed.runImage?.target,
  });
}

/** Extends the run image, in whose container this runs, and leaves what came of it to the exporter. */
async function extendRun(context: PhaseContext, group: Group, analyzed: Analyzed): Promise<void> {
  // Should this fail, nobody is to take what an earlier run left for its result.
  try {
    removeExtended(context.inputs.extendedDir);
  } catch (error) {
    throw failedTo("extend run image", error, ExitCode.extendError);
  }
  await extendRoot(context, "run", group, analyzed.runImage?.reference, async (base, extended) => {
    try {
      await writeExtended(base.manifest, extended, context.inputs.extendedDir, context.logger, context.signal);
    } catch (error) {
      throw inContext("failed to copy extended image to output directory", error);
    }
  });
}

/** @throws Error if analyzed.toml does not name the image */
function requireNamed(kind: DockerfileKind, reference: string | undefined): string {
  if (reference) return reference;
  const remedy = kind === "build" ? "run the restorer with -build-image" : "run the analyzer with -run-image";
  throw new Error(`analyzed.toml names no ${kind} image; ${remedy}`);
}

/**
 * Applies the Dockerfiles of one kind to `/`.
 *
 * @param reference of the image that `/` is of
 * @param use is handed what came of it, as long as its layers can be read
 */
async function extendRoot(
  context: PhaseContext,
  kind: DockerfileKind,
  group: Group,
  reference: string | undefined,
  use: (base: StoredBaseImage, extended: ExtendedImage) => Promise<void>,
): Promise<void> {
  const { inputs, logger } = context;
  const { kanikoDir, kanikoCacheTtl: timeToLive, appDir, cacheDir, extendedDir, layersDir, platformDir } = inputs;
  try {
    mkdirSync(kanikoDir, { recursive: true });
    const base = await whilst(`getting ${kind} image to extend`, () =>
      openBase(kanikoDir, requireNamed(kind, reference)),
    );
    const cache = await openExtendCache({ kept: kanikoDir, work: workPlace(), timeToLive }, logger);
    try {
      const ignored = [appDir, layersDir, platformDir, kanikoDir, cacheDir, extendedDir, cache.workDirectory];
      const extended = await extend({
        ...inputs,
        ...context,
        kind,
        extensions: group.groupExtensions,
        base,
        root: new RootFileSystem({ directory: "/", ignored, identity: rootIdentity(base) }),
        cache,
        openImage: async (name) => (await openRegistry(context, [name])).open(name),
        helper: EXEC_HELPER,
      });
      await use(base, extended);
    } finally {
      cache.close();
    }
  } catch (error) {
    if (error instanceof LifecycleError && error.exitCode === ExitCode.extendError) throw error;
    throw failedTo(`extend ${kind} image`, error, ExitCode.extendError);
  }
}

/** Runs the extender; returns its exit code. */
export function main(argv: readonly string[]): Promise<number> {
  return runPhase(extender, argv, process.env);
}
