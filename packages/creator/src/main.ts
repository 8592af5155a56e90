import {
  becomeUser,
  environmentForUser,
  type FlagName,
  isPrivileged,
  openImageAccess,
  type Phase,
  type PhaseContext,
  readRun,
  requireArguments,
  resolveInputs,
  runPhase,
  shieldCredentials,
} from "@lifecycle/phase";
import { giveDirectories, openBuildpackages, PREPARE_FLAGS, runImageNamedBy } from "@lifecycle/preparer";
import { type CreatorAccess, create } from "./create.ts";
import { ExtensionWorker } from "./extension-worker.ts";
import { mayHaveExtensions } from "./extensions.ts";

const creator: Phase<CreatorAccess> = {
  name: "creator",

  flags(api) {
    const flags: FlagName[] = [
      ...PREPARE_FLAGS,
      "app",
      "buildpacks",
      "cache-dir",
      "cache-image",
      "daemon",
      "gid",
      "launch-cache",
      "launcher",
      "layers",
      "log-level",
      "no-color",
      "order",
      "parallel",
      "platform",
      "prepare",
      "previous-image",
      "process-type",
      "project-metadata",
      "report",
      "run-image",
      "skip-restore",
      "stack",
      "tag",
      "uid",
    ];
    if (api.atLeast("0.10")) {
      flags.push("build-image", "extensions", "kaniko-cache-ttl");
    }
    if (api.atLeast("0.11")) {
      flags.push("build-config", "launcher-sbom");
    }
    if (api.atLeast("0.12")) {
      flags.push("layout", "layout-dir", "run");
    }
    if (api.atLeast("0.13")) {
      flags.push("insecure-registry");
    }
    if (api.atLeast("0.15")) {
      flags.push("system");
    }
    return flags;
  },

  async resolve(context, args) {
    requireArguments(args, 1);
    context.inputs.outputImage = args[0] ?? "";
    const { inputs } = context;
    if (inputs.prepare && !inputs.skipConfig) inputs.runImage ||= await runImageNamedBy(context);
    await resolveInputs("create", context);
    if (context.inputs.useLayout) {
      context.guardExperimental("export to OCI layout format");
    }
  },

  async privileges(context) {
    const { inputs } = context;
    const mayExtend = mayHaveExtensions(context);
    const images = await openImageAccess(context, mayExtend ? runImages(context) : []);
    const access = inputs.prepare ? { ...images, buildpackages: await openBuildpackages(context) } : images;
    if (inputs.prepare) giveDirectories(context);
    const worker = mayExtend && isPrivileged() ? ExtensionWorker.start(context.signal) : undefined;
    becomeUser(inputs, [inputs.cacheDir, inputs.launchCacheDir, inputs.layersDir]);
    // after setuid, since that resets who may look into this process
    shieldCredentials();
    return { ...access, ...(worker && { worker }) };
  },

  async execute(context, access) {
    try {
      const env = environmentForUser(context.inputs.uid, context.env);
      await create({ ...context, env }, access);
    } finally {
      await access.worker?.close();
    }
  },
};

/** The images that an extension may choose as run image. */
function runImages({ inputs }: PhaseContext): string[] {
  try {
    const { images } = readRun(inputs.runPath, { info: () => {} });
    return images.flatMap(({ image = "", mirrors = [] }) => [image, ...mirrors]).filter((name) => name !== "");
  } catch {
    // told when it is its turn
    return [];
  }
}

/** Runs the creator; returns its exit code. */
export function main(argv: readonly string[]): Promise<number> {
  return runPhase(creator, argv, process.env);
}
