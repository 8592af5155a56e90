import { existsSync, mkdirSync } from "node:fs";
import { isAbsolute, join, resolve } from "node:path";
import { BuildTarget, nameOf } from "@lifecycle/buildpack";
import { Downloader, Proxies, Trust } from "@lifecycle/image";
import { targetOf } from "@lifecycle/phase";
import {
  DEFAULTS,
  type Prepared,
  type PreparedBuildpack,
  type ProjectBuildpack,
  type ProjectDescriptor,
  type TargetMetadata,
} from "@lifecycle/spec-types";
import { messageOf } from "@lifecycle/syscall";
import type { App } from "./app.ts";
import { Builder } from "./builder.ts";
import { checkBuildpacks } from "./check.ts";
import type { DescriptorFile } from "./descriptor-file.ts";
import { DownloadCache } from "./download-cache.ts";
import { failure } from "./errors.ts";
import { parseLocator } from "./locator.ts";
import { inLayers, type PrepareOptions } from "./options.ts";
import type { Resolved } from "./order.ts";
import { RegistryIndex } from "./registry-index.ts";
import { Shelf } from "./shelf.ts";
import { type FetchedBuildpack, Sources } from "./sources.ts";
import type { Transaction } from "./transaction.ts";

/** The buildpacks of one descriptor, from being named to lying where the detector finds them. */
export class Fetching {
  readonly remarks: string[] = [];
  readonly #options: PrepareOptions;
  readonly #builder: Builder;
  readonly #previous: Prepared | undefined;
  readonly #file: DescriptorFile;
  readonly #app: App;
  readonly #transaction: Transaction;
  #opened: { readonly shelf: Shelf; readonly sources: Sources; readonly downloads: DownloadCache } | undefined;
  readonly #named = new Set<FetchedBuildpack>();
  readonly #fetched = new Map<string, { readonly buildpack: FetchedBuildpack; readonly reason: string }>();
  readonly #fromBuilder: PreparedBuildpack[] = [];

  constructor(
    options: PrepareOptions,
    previous: Prepared | undefined,
    file: DescriptorFile,
    app: App,
    transaction: Transaction,
  ) {
    this.#options = options;
    this.#previous = previous;
    this.#file = file;
    this.#app = app;
    this.#transaction = transaction;
    const earlier = previous?.buildpacks.flatMap(({ path }) => (path === undefined ? [] : [path])) ?? [];
    this.#builder = new Builder(options.buildpacksDir, new Set(earlier));
  }

  /** Where the detector is to look. */
  get dir(): string {
    return this.#opened?.shelf.dir ?? this.#options.buildpacksDir;
  }

  async resolve(declared: ProjectBuildpack): Promise<Resolved> {
    const { id = "", version = "", uri, script, place } = declared;
    if (script !== undefined) {
      const { main } = this.#open().sources.inline(declared);
      if (this.#fetched.has(nameOf(main))) {
        throw failure("invalidDescriptor", `${place}: another script has the id '${id}' already`);
      }
      return this.#take(main, place, true);
    }
    const text = uri ?? (version === "" ? id : `${id}@${version}`);
    const locator = this.#locate(text, place);
    if (locator.kind === "builder-order") return { kind: "builder-order" };
    if (locator.kind === "builder") {
      const own = this.#lookup(locator.id, locator.version, place);
      this.#options.verifyBuildpackApi("Buildpack", nameOf(own), own.descriptor.api);
      this.#fromBuilder.push({ id: own.id, version: own.version, reason: place, source: "builder" });
      return { kind: "buildpack", element: { id: own.id, version: own.version } };
    }
    this.#options.logger.debug(`Fetching buildpack ${place}: ${locator.kind}`);
    const { main, dependencies } = await this.#open().sources.fetch(locator, text);
    if (id !== "" && id !== main.id) {
      const found = `${place} asks for '${id}', but ${locator.kind === "url" ? "the archive" : text} holds`;
      throw failure("buildpackMismatch", `${found} '${nameOf(main)}'`);
    }
    for (const each of dependencies) this.#take(each, `dependency of ${nameOf(main)}`, false);
    return this.#take(main, place, true);
  }

  /** @throws LifecycleError with exit code 12, 112 or 115 */
  async check({ lifecycle }: ProjectDescriptor): Promise<void> {
    const all = [...this.#fetched.values()].map(({ buildpack }) => buildpack);
    if (all.length === 0) return;
    const target = this.#options.platformApi.lessThan("0.12")
      ? undefined
      : await this.#target(this.#options.runImage || (lifecycle.runImage ?? ""));
    const verifyApi = this.#options.verifyBuildpackApi;
    this.remarks.push(...checkBuildpacks(all, this.#named, { verifyApi, target, builder: this.#builder }));
    for (const buildpack of all) {
      if (this.#builder.has(buildpack.id, buildpack.version)) {
        this.remarks.push(`the builder's ${nameOf(buildpack)} is replaced by that from ${buildpack.source}`);
      }
    }
  }

  buildpacks(): readonly PreparedBuildpack[] {
    const fetched = [...this.#fetched.values()].map(({ buildpack, reason }) => ({
      id: buildpack.id,
      version: buildpack.version,
      reason,
      source: buildpack.source,
      ...(buildpack.digest !== undefined && { digest: buildpack.digest }),
      path: this.#open().shelf.pathOf(buildpack),
    }));
    return [...this.#fromBuilder, ...fetched];
  }

  place(): void {
    if (this.#opened === undefined) return;
    const { shelf, downloads } = this.#opened;
    shelf.place(
      [...this.#fetched.values()].map(({ buildpack }) => buildpack),
      this.#builder,
    );
    if (this.#options.cacheDir !== "") downloads.prune();
  }

  /** What is needed to bring buildpacks here; most descriptors ask for those of the builder only. */
  #open(): { readonly shelf: Shelf; readonly sources: Sources; readonly downloads: DownloadCache } {
    if (this.#opened !== undefined) return this.#opened;
    const { buildpacksDir, buildpacksOutDir, cacheDir, layersDir, env, signal, transfers, logger } = this.#options;
    const overlayDir = buildpacksOutDir || join(inLayers(DEFAULTS.preparedDir, layersDir), "buildpacks");
    const shelf = new Shelf(
      { buildpacksDir, overlayDir, alwaysOverlay: buildpacksOutDir !== "" },
      this.#previous?.buildpacksDir === overlayDir,
      this.#transaction,
    );
    const { scratch } = shelf;
    const downloads = new DownloadCache(cacheDir === "" ? join(scratch, "downloads") : join(cacheDir, "prepare"));
    const warn = (message: string): void => logger.warn(message);
    const trusted = { trust: new Trust(env), proxies: new Proxies(env) };
    const downloader = new Downloader({ ...trusted, observer: transfers, signal, warn });
    const clone = join(scratch, "clone");
    mkdirSync(clone);
    const index = new RegistryIndex({ base: this.#options.buildpackRegistry, downloader, env, scratch: clone, signal });
    const sources = new Sources({
      baseDir: this.#file.baseDir,
      appDir: this.#app.dir,
      scratch,
      images: this.#options.images,
      downloader,
      downloads,
      index,
      limits: this.#options,
      logger,
    });
    this.#opened = { shelf, sources, downloads };
    return this.#opened;
  }

  /** Of two that have the same name the first is used; packages share dependencies. */
  #take(buildpack: FetchedBuildpack, reason: string, isNamed: boolean): Resolved {
    const name = nameOf(buildpack);
    const earlier = this.#fetched.get(name)?.buildpack;
    if (earlier === undefined) this.#fetched.set(name, { buildpack, reason });
    else if (earlier.source !== buildpack.source) {
      this.remarks.push(`${name} is taken from ${earlier.source}, not from ${buildpack.source}, which has it too`);
    }
    if (isNamed) this.#named.add(earlier ?? buildpack);
    return { kind: "buildpack", element: { id: buildpack.id, version: buildpack.version } };
  }

  #locate(text: string, place: string): ReturnType<typeof parseLocator> {
    try {
      return parseLocator(text, {
        isInBuilder: (id, version) => this.#builder.has(id, version),
        exists: (path) => existsSync(isAbsolute(path) ? path : resolve(this.#file.baseDir, path)),
      });
    } catch (error) {
      throw failure("buildpackNotFound", `${place}: ${messageOf(error)}`, error);
    }
  }

  #lookup(id: string, version: string, place: string): ReturnType<Builder["get"]> {
    try {
      return this.#builder.get(id, version);
    } catch (error) {
      throw failure("buildpackNotFound", `${place}: ${messageOf(error)}`, error);
    }
  }

  /** What the application is to run on: the run image's target, where it is known, completed from this image. */
  async #target(runImage: string): Promise<TargetMetadata> {
    const { images, logger } = this.#options;
    const note = (message: string): void => logger.debug(message);
    let known: TargetMetadata | undefined;
    if (runImage !== "") {
      try {
        const image = await images.open(runImage);
        known = image && targetOf(image);
      } catch (error) {
        logger.debug(`Target of run image ${runImage} is not known: ${messageOf(error)}`);
      }
    }
    return new BuildTarget(known, { debug: note, info: note, warn: note, error: note }).get();
  }
}
