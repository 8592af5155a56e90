import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { descriptorOutput, lineOutput } from "@lifecycle/buildpack";
import {
  type Applied,
  applyDockerfile,
  type DockerfileKind,
  type LayerFile,
  predefinedArgs,
  type RootFileSystem,
} from "@lifecycle/dockerfile";
import { Downloader, type History, type Image, type ImageConfig, isDigest, Proxies, Trust } from "@lifecycle/image";
import {
  type Environment,
  ExitCode,
  failedTo,
  type Inputs,
  inContext,
  type PhaseContext,
  timed,
  whilst,
} from "@lifecycle/phase";
import { type GroupElement, REBASABLE_LABEL } from "@lifecycle/spec-types";
import type { BaseImage } from "./base-image.ts";
import type { ExtendCache } from "./extend-cache.ts";
import { digestOfImage, extendedManifest } from "./extended-manifest.ts";
import { type ExtensionDockerfile, findDockerfiles } from "./find-dockerfiles.ts";
import { layerHistory } from "./history.ts";
import { OtherImages } from "./other-images.ts";

/** What an image is extended with. Paths are absolute. */
export type ExtendOptions = Pick<Inputs, "appDir" | "generatedDir" | "noColor" | "platformApi"> &
  Pick<PhaseContext, "env" | "logger" | "signal"> & {
    readonly kind: DockerfileKind;
    /** The image extensions of the group, in its order. */
    readonly extensions: readonly GroupElement[];
    readonly base: BaseImage;
    /** Holds the base image and is changed in place. */
    readonly root: RootFileSystem;
    readonly cache: ExtendCache;
    /** Finds an image that `COPY --from` names. */
    readonly openImage: (reference: string) => Promise<Image | undefined>;
    /** The program and first arguments that call `execInRoot` with the path that follows. */
    readonly helper: readonly string[];
  };

/** What came of an image. */
export interface ExtendedImage {
  /** The base's, changed. */
  readonly config: ImageConfig;
  /** Those that were added, lowest first. */
  readonly layers: readonly LayerFile[];
}

const standardOutput = 1;

/** For `helper`: how this executable, whatever its name, is told to become the program of a RUN. */
export const EXEC_HELPER: readonly string[] = [process.execPath, "exec-in-root"];

/**
 * Applies the Dockerfiles that extensions generated for one kind of image, one after the other. Platform spec,
 * "extender"; image extension spec, "Phase: Extension".
 *
 * @throws LifecycleError with exit code 102, also if a run image is left with root as its user
 */
export async function extend(options: ExtendOptions): Promise<ExtendedImage> {
  const { kind, logger, base } = options;
  const digest = isDigest(base.identity) ? base.identity : digestOfImage(base.manifest, base.config);
  if (kind === "run" && base.manifest !== undefined) {
    const { layers } = base.manifest;
    logger.debug(`Found ${layers.length} layers in original image with digest: ${digest}`);
    logger.debug(`Original image top layer digest: ${layers.at(-1)?.digest ?? ""}`);
  }
  try {
    return await whilst(`extending ${kind} image`, () =>
      timed("Extender", logger, () => {
        logger.debug(`Extending base image for ${kind}: ${base.reference}`);
        return applyAll(options, findAll(options), digest);
      }),
    );
  } catch (error) {
    throw failedTo(`extend ${kind} image`, error, ExitCode.extendError);
  }
}

function findAll(options: ExtendOptions): readonly ExtensionDockerfile[] {
  try {
    const found = findDockerfiles(options);
    for (const { extensionId } of found) {
      options.logger.debug(`Found ${options.kind} Dockerfile for extension '${extensionId}'`);
    }
    return found;
  } catch (error) {
    throw inContext(`getting ${options.kind}.Dockerfiles`, error);
  }
}

/** @param baseDigest of the image that is extended */
async function applyAll(
  options: ExtendOptions,
  dockerfiles: readonly ExtensionDockerfile[],
  baseDigest: string,
): Promise<ExtendedImage> {
  const { kind, logger, base } = options;
  let { config } = base;
  let digest = baseDigest;
  logger.debug(`Original image has digest: ${digest}`);
  const layers: LayerFile[] = [];
  const history: History[] = [...layerHistory(config.history, config.rootfs.diff_ids.length)];
  const [originalUser] = userOf(config);
  // What the base image says of itself does not count.
  let rebasable = true;
  const others = new OtherImages(options.openImage, join(options.cache.workDirectory, "images"), options.signal);
  for (const each of dockerfiles) {
    const [userBefore] = userOf(config);
    const applied = await whilst("applying Dockerfile to image", () => apply(options, each, config, digest, others));
    layers.push(...applied.layers);
    history.push(...newHistory(applied, config, each.extensionId));
    config = applied.config;
    rebasable &&= isTrue(config.config.Labels?.[REBASABLE_LABEL]);
    const manifest = base.manifest && extendedManifest(base.manifest, config, layers);
    digest = digestOfImage(manifest, config);
    logger.debug(`Intermediate image has digest: ${digest}`);
    const [user] = userOf(config);
    if (isRoot(user, originalUser)) {
      logger.warn(
        `Extension from ${each.path} changed the user ID from ${userBefore} to ${user}; this must not be the final user ID (a following extension must reset the user).`,
      );
    }
  }
  checkFinalUser(options, config);
  // The config of a build image is of use to nobody but the build that follows.
  if (kind === "build") return { config, layers };
  if (dockerfiles.length > 0) {
    const labels = { ...config.config.Labels, [REBASABLE_LABEL]: String(rebasable) };
    config = { ...config, history, config: { ...config.config, Labels: labels } };
    digest = digestOfImage(base.manifest && extendedManifest(base.manifest, config, layers), config);
  }
  logger.debug(`Final extended image has digest: ${digest}`);
  return { config, layers };
}

/** @throws Error if a run image was made one of root's */
function checkFinalUser({ kind, logger, base }: ExtendOptions, config: ImageConfig): void {
  const [originalUser] = userOf(base.config);
  const [finalUser] = userOf(config);
  if (isRoot(finalUser, originalUser) && kind === "run") {
    throw new Error("the final user ID is 0 (root); please add another extension that resets the user to non-root");
  }
  if (finalUser !== originalUser) {
    logger.warn(
      `The original user ID was ${originalUser} but the final extension left the user ID set to ${finalUser}.`,
    );
  }
}

async function apply(
  options: ExtendOptions,
  { dockerfile, path, args, contextDir, extensionId }: ExtensionDockerfile,
  config: ImageConfig,
  digest: string,
  others: OtherImages,
): Promise<Applied> {
  const { kind, root, cache, helper, env, signal, logger, noColor } = options;
  const [userId, groupId] = userOf(config);
  const baseImage = `base@${digest}`;
  logger.info(`Applying ${kind}.Dockerfile of ${extensionId}`, { extension: extensionId });
  logger.debug(`Applying Dockerfile at ${path} to '${baseImage}'...`);
  const output = logger.isJson
    ? lineOutput((line) => logger.info(line, { extension: extensionId }))
    : descriptorOutput(standardOutput, noColor);
  const warn = (message: string) => logger.warn(message);
  const downloader = new Downloader({ trust: new Trust(env), proxies: new Proxies(env), warn, signal });
  try {
    return await applyDockerfile(dockerfile, {
      root,
      config: { ...config, created: undefined },
      buildArgs: {
        ...predefinedArgsOf(env),
        ...Object.fromEntries(args.map(({ name, value }) => [name, value])),
        build_id: randomUUID(),
        user_id: userId,
        group_id: groupId,
        base_image: baseImage,
      },
      context: contextDir,
      ignoreFile: `${path}.dockerignore`,
      cache: cache.layers,
      mountCaches: cache.mountCaches,
      onlyRoot: kind === "build",
      helper,
      downloader,
      workDirectory: cache.workDirectory,
      output: (chunk) => output.write(chunk),
      openImage: async (reference) => (reference === baseImage ? root.asImage(signal) : others.open(reference)),
      log: (line) => logger.info(line, { extension: extensionId }),
      warn,
      signal,
    });
  } finally {
    output.end();
    await downloader.close();
  }
}

/** What the layers of one Dockerfile are called in the image's history. */
function newHistory({ config }: Applied, before: ImageConfig, extensionId: string): History[] {
  return (config.history ?? [])
    .slice(before.history?.length ?? 0)
    .filter(({ empty_layer }) => empty_layer !== true)
    .map(({ created_by = "" }) => ({ created_by: `Layer: '${created_by}', Created by extension: ${extensionId}` }));
}

/** Of the environment, what every Dockerfile may know without asking. */
function predefinedArgsOf(env: Environment): Record<string, string> {
  const entries = Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return Object.fromEntries(entries.filter(([name]) => predefinedArgs.has(name)));
}

/** User and group of an image as its config has them; the group is empty if it has none. */
function userOf({ config }: ImageConfig): [user: string, group: string] {
  const { User = "" } = config;
  const [user = "", group = ""] = User.split(":");
  return [user, group];
}

/**
 * Whether a user is root, however that is written. No user at all is root too, but for who has always had none: an
 * argument that was not declared, as in `USER ${user_id}`, leaves nothing.
 */
function isRoot(user: string, originalUser: string): boolean {
  return user === "root" || /^\+?0+$/.test(user) || (user === "" && originalUser !== "");
}

/** Whether a label's text means true, in the spellings that Go accepts. */
function isTrue(text: string | undefined): boolean {
  return ["1", "t", "T", "TRUE", "true", "True"].includes(text ?? "");
}
