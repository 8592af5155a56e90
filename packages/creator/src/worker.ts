import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { envMap, RootFileSystem } from "@lifecycle/dockerfile";
import {
  type BaseImage,
  baseFrom,
  EXEC_HELPER,
  type ExtendCache,
  type ExtendedImage,
  extend,
  openExtendCache,
  requireContainer,
  rootIdentity,
  unpackImage,
  workPlace,
  writeExtended,
} from "@lifecycle/extender";
import { digestOf, type ImageConfig, type Manifest, mediaTypes } from "@lifecycle/image";
import {
  ConsoleLogger,
  ExitCode,
  environmentForUser,
  failedTo,
  LifecycleError,
  openImageAccess,
  openRegistry,
  type StoreContext,
  shieldCredentials,
  stopOnSignals,
  TransferDisplay,
} from "@lifecycle/phase";
import { buildImage } from "./build-image.ts";
import {
  type ExtendAnswer,
  type ExtendBuildRequest,
  type ExtendRequest,
  type ExtendResults,
  type ExtendRunRequest,
  parseRequest,
} from "./worker-protocol.ts";

/** Where answers are written. */
const answersFd = 3;

/**
 * The worker's process: does what it is asked on standard input, one after the other, until that ends; then removes
 * what it made. Called as root.
 *
 * @returns its exit code
 */
export async function main(): Promise<number> {
  shieldCredentials();
  const left = new AbortController();
  const signal = AbortSignal.any([stopOnSignals(), left.signal]);
  const worker = new Worker(signal);
  try {
    const requests = createInterface({ input: process.stdin });
    let work = Promise.resolve();
    requests.on("line", (line) => {
      work = work.then(async () => answer(await worker.carryOut(parseRequest(line))));
      // Without an answer, creator has to learn that there will be none.
      work.catch(() => left.abort());
    });
    await new Promise((resolve) => {
      requests.once("close", resolve);
      signal.addEventListener("abort", resolve);
    });
    left.abort();
    await work;
    return 0;
  } finally {
    worker.close();
  }
}

function answer(what: ExtendAnswer): void {
  try {
    writeSync(answersFd, `${JSON.stringify(what)}\n`);
  } catch {
    // Creator is gone.
  }
}

class Worker {
  readonly #signal: AbortSignal;
  /** What others must not see; opened at the first request. */
  #cache: ExtendCache | undefined;
  /** Holds the extended run image, which creator reads as the build user. */
  #extendedDir: string | undefined;

  constructor(signal: AbortSignal) {
    this.#signal = signal;
  }

  async carryOut(request: ExtendRequest): Promise<ExtendAnswer> {
    const { logLevel: level, logFormat: format, noColor } = request.inputs;
    const logger = new ConsoleLogger({ level, format, color: !noColor, phase: `extending (${request.kind})` });
    const transfers = new TransferDisplay(logger, process.stdout.isTTY ? process.stdout : undefined);
    const context = { inputs: request.inputs, env: process.env, logger, transfers, signal: this.#signal };
    try {
      const result =
        request.kind === "build" ? await this.#extendBuild(request, context) : await this.#extendRun(request, context);
      return { result };
    } catch (error) {
      const isTold = error instanceof LifecycleError && error.exitCode === ExitCode.extendError;
      const failure = isTold ? error : failedTo(`extend ${request.kind} image`, error, ExitCode.extendError);
      return { failure: failure.message, exitCode: failure.exitCode };
    }
  }

  close(): void {
    this.#cache?.close();
    if (this.#extendedDir !== undefined) rmSync(this.#extendedDir, { recursive: true, force: true });
  }

  async #extendBuild(request: ExtendBuildRequest, context: StoreContext): Promise<ExtendResults["build"]> {
    requireContainer(context.env, "creator");
    const { inputs } = request;
    const { appDir, layersDir, platformDir, cacheDir, kanikoDir, launchCacheDir, layoutDir } = inputs;
    const cache = await this.#openCache(context);
    const ignored = [
      appDir,
      layersDir,
      platformDir,
      cacheDir,
      kanikoDir,
      launchCacheDir,
      layoutDir,
      cache.workDirectory,
    ];
    const root = new RootFileSystem({ directory: "/", ignored, identity: "" });
    const base = await buildImage(context, root, homeOf(inputs.uid));
    root.key = rootIdentity(base);
    const extended = await extendWith(cache, request, context, base, root);
    const before = new Set(base.config.config.Env);
    const changed = (extended.config.config.Env ?? []).filter((entry) => !before.has(entry));
    return { env: Object.fromEntries(envMap(changed)) };
  }

  async #extendRun(request: ExtendRunRequest, context: StoreContext): Promise<ExtendResults["run"]> {
    const { appDir, layersDir, platformDir, kanikoDir } = request.inputs;
    const cache = await this.#openCache(context);
    // The launch cache is creator's, and must not be root's.
    const inputs = { ...request.inputs, launchCacheDir: "" };
    const { images } = await openImageAccess({ ...context, inputs }, [request.runImage]);
    const image = await images.open(request.runImage);
    if (image === undefined) throw new Error(`run image '${request.runImage}' not found`);
    const base = baseFrom(image);
    const directory = join(cache.workDirectory, "run-image");
    mkdirSync(directory, { mode: 0o755 });
    const root: RootFileSystem = new RootFileSystem({
      directory,
      ignored: [appDir, layersDir, platformDir, kanikoDir],
      identity: rootIdentity(base),
      prepare: () => unpackImage(image, request.runImage, (layer) => root.unpackLayer(layer, this.#signal)),
    });
    try {
      const extended = await extendWith(cache, request, context, base, root);
      this.#extendedDir ??= mkdtempSync(join(tmpdir(), "lifecycle-extended-"));
      chmodSync(this.#extendedDir, 0o755);
      const manifest = base.manifest ?? manifestOf(base.config);
      await writeExtended(manifest, extended, this.#extendedDir, context.logger, this.#signal);
      return { extendedDir: this.#extendedDir };
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  }

  /** In `/kaniko` where the platform mounts that, else in the cache directory, else for this build alone. */
  async #openCache({ inputs, logger }: StoreContext): Promise<ExtendCache> {
    const { kanikoDir, cacheDir, kanikoCacheTtl: timeToLive } = inputs;
    const kept = existsSync(kanikoDir) ? kanikoDir : cacheDir === "" ? undefined : join(cacheDir, "extensions");
    this.#cache ??= await openExtendCache({ kept, work: workPlace(), timeToLive }, logger);
    return this.#cache;
  }
}

function extendWith(
  cache: ExtendCache,
  { kind, extensions, inputs }: ExtendRequest,
  context: StoreContext,
  base: BaseImage,
  root: RootFileSystem,
): Promise<ExtendedImage> {
  return extend({
    ...inputs,
    ...context,
    kind,
    extensions,
    base,
    root,
    cache,
    openImage: async (reference) => (await openRegistry(context, [reference])).open(reference),
    helper: EXEC_HELPER,
  });
}

/** A manifest for an image in a daemon, which has none: with the layers as the config knows them. */
function manifestOf({ rootfs }: ImageConfig): Manifest {
  const config = { mediaType: mediaTypes.ociConfig, digest: digestOf(new Uint8Array()), size: 0 };
  const layers = rootfs.diff_ids.map((digest) => ({ mediaType: mediaTypes.ociLayer, digest, size: 0 }));
  return { schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers };
}

/** Where the build user's programs leave files; undefined for a user that nobody knows. */
function homeOf(uid: number): string | undefined {
  try {
    return environmentForUser(uid, {}).HOME;
  } catch {
    return undefined;
  }
}
