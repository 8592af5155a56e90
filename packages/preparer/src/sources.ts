import { createReadStream, existsSync, lstatSync, mkdirSync, readFileSync, realpathSync, statSync } from "node:fs";
import { isAbsolute, join, relative, resolve } from "node:path";
import { escapeId } from "@lifecycle/buildpack";
import {
  type Digest,
  type Downloader,
  decompressed,
  digestOfFile,
  type Image,
  ImageError,
  type ImageStore,
  type Layer,
  LayoutStore,
  untilIntact,
  verified,
} from "@lifecycle/image";
import { extract } from "@lifecycle/layers";
import type { Logger } from "@lifecycle/phase";
import {
  BUILDPACK_LAYERS_LABEL,
  BUILDPACKAGE_METADATA_LABEL,
  type ProjectBuildpack,
  parseBuildpackageLabel,
  parseBuildpackLayersLabel,
  parsePackageDependencies,
} from "@lifecycle/spec-types";
import { type ArchiveLimits, bounded, unpackArchive } from "./archive.ts";
import { type BuildpackOnDisk, readBuildpack } from "./builder.ts";
import { copyTree } from "./copy-tree.ts";
import type { DownloadCache } from "./download-cache.ts";
import { explain, failure } from "./errors.ts";
import { INLINE_VERSION, writeInlineBuildpack } from "./inline.ts";
import { type Locator, parseLocator } from "./locator.ts";
import type { RegistryIndex } from "./registry-index.ts";
import { withoutSecrets } from "./without-secrets.ts";

/** A buildpack that was brought here, in a scratch directory. */
export interface FetchedBuildpack extends BuildpackOnDisk {
  /** A path, a URL, an image with its digest, or `inline`. */
  readonly source: string;
  /** Of the archive or image. */
  readonly digest?: string;
}

/** What a locator led to: a buildpack and, of a buildpackage, those that it depends on. */
export interface Fetched {
  readonly main: FetchedBuildpack;
  readonly dependencies: readonly FetchedBuildpack[];
}

export interface SourcesOptions {
  /** Where relative paths begin: the descriptor's directory. */
  readonly baseDir: string;
  /** The application's files before any is removed. */
  readonly appDir: string;
  /** A directory in the file system where buildpacks will lie, for what is unpacked. */
  readonly scratch: string;
  readonly images: ImageStore;
  readonly downloader: Downloader;
  readonly downloads: DownloadCache;
  readonly index: RegistryIndex;
  readonly limits: ArchiveLimits;
  readonly logger: Logger;
}

/** How deep package.toml files may name directories with such files. */
const maxDepth = 10;

/** What a version may be; it becomes a directory's name. */
const versionPattern = /^(?!\.\.?$)[A-Za-z0-9._+-]+$/;

/** Whether a text can be a buildpack's ID (buildpack.md, "Buildpack ID"; with `_`, as some have it). */
function canBeId(text: string): boolean {
  const isReserved = text === "app" || text === "config" || text === "sbom";
  return !isReserved && text.split("/").every((part) => /^(?!\.\.?$)[A-Za-z0-9._-]+$/.test(part));
}

/** Brings buildpacks from wherever they are, and makes sure that they are what they should be. */
export class Sources {
  readonly #options: SourcesOptions;
  #unpacked = 0;

  constructor(options: SourcesOptions) {
    this.#options = options;
  }

  /**
   * Makes a buildpack of a script in project.toml. A script `./<path>` that is a file of the application is read now,
   * as the file may be kept out of the build.
   *
   * @throws LifecycleError
   */
  inline({ id = "", script, place }: ProjectBuildpack): Fetched {
    if (script === undefined) throw new TypeError(`${place} has no script`);
    if (!canBeId(id)) throw failure("invalidDescriptor", `${place}: ${JSON.stringify(id)} cannot be a buildpack's ID`);
    const dir = this.#newDir();
    writeInlineBuildpack(dir, id, script, this.#scriptFile(script.inline));
    const descriptor = readBuildpack(dir).descriptor;
    return { main: { id, version: INLINE_VERSION, dir, descriptor, source: "inline" }, dependencies: [] };
  }

  /** @throws LifecycleError naming the buildpack */
  async fetch(locator: Exclude<Locator, { kind: "builder" | "builder-order" }>, text: string): Promise<Fetched> {
    try {
      const fetched = await this.#fetch(locator, this.#options.baseDir, 0);
      for (const buildpack of [fetched.main, ...fetched.dependencies]) checkNames(buildpack);
      return fetched;
    } catch (error) {
      throw explain(`buildpack ${withoutSecrets(text)}`, error);
    }
  }

  /** @param from where relative paths begin */
  async #fetch(
    locator: Exclude<Locator, { kind: "builder" | "builder-order" }>,
    from: string,
    depth: number,
  ): Promise<Fetched> {
    switch (locator.kind) {
      case "path":
        return this.#fromPath(locator.path, from, depth);
      case "url":
        return this.#fromUrl(locator.url, locator.sha256);
      case "image":
        return this.#fromImage(locator.name);
      case "registry": {
        const { namespace, name } = locator;
        const entry = await this.#options.index.find(namespace, name, locator.version);
        const id = `${namespace}/${name}`;
        if (entry.yanked)
          this.#options.logger.warn(`Buildpack '${id}@${entry.version}' was withdrawn from its registry`);
        const fetched = await this.#fromImage(entry.address);
        const { main } = fetched;
        if (main.id !== id || main.version !== entry.version) {
          const found = `${entry.address} holds '${main.id}@${main.version}'`;
          throw failure("buildpackMismatch", `${found}, not '${id}@${entry.version}' as the buildpack registry says`);
        }
        return fetched;
      }
    }
  }

  async #fromPath(path: string, from: string, depth: number): Promise<Fetched> {
    const { baseDir, limits } = this.#options;
    const full = resolve(from, path);
    if (!existsSync(full)) throw failure("buildpackNotFound", `${full} is not there`);
    const real = realpathSync(full);
    // a buildpack that was named by its absolute path is the platform's, and so are its parts
    if (!isAbsolute(path) && isWithin(from, baseDir) && !isWithin(real, baseDir)) {
      const remedy = "name it by its absolute path if it is the platform's";
      throw failure("buildpackNotFound", `${path} leads out of the directory of project.toml; ${remedy}`);
    }
    const stats = statSync(real);
    if (stats.isFile()) return this.#fromArchive(real, { source: path, digest: await digestOfFile(real) });
    if (!stats.isDirectory()) throw failure("buildpackNotFound", `${full} is no directory and no file`);
    const dir = this.#newDir();
    copyTree(real, dir, limits);
    return { main: { ...this.#read(dir), source: path }, dependencies: await this.#dependenciesOf(real, depth) };
  }

  /** What the package.toml of a composite buildpack's directory names; its paths begin there. */
  async #dependenciesOf(dir: string, depth: number): Promise<readonly FetchedBuildpack[]> {
    const file = join(dir, "package.toml");
    if (!isFile(file)) return [];
    if (depth === maxDepth) throw failure("buildpackNotFound", `package.toml files name each other ${maxDepth} deep`);
    const dependencies: FetchedBuildpack[] = [];
    for (const uri of parsePackageDependencies(readFileSync(file, "utf8"), file)) {
      const exists = (path: string) => existsSync(resolve(dir, path));
      const locator = parseLocator(uri, { isInBuilder: () => false, exists });
      if (locator.kind === "builder" || locator.kind === "builder-order") continue;
      const fetched = await this.#fetch(locator, dir, depth + 1);
      dependencies.push(fetched.main, ...fetched.dependencies);
    }
    return dependencies;
  }

  async #fromUrl(url: URL, sha256: string | undefined): Promise<Fetched> {
    const expected: Digest | undefined = sha256 === undefined ? undefined : `sha256:${sha256}`;
    const { downloads, downloader, limits, logger } = this.#options;
    const source = `${url.origin}${url.pathname}`;
    let file = expected && (await downloads.find(expected));
    if (file !== undefined) logger.debug(`Using the copy of ${source} in the cache`);
    file ??= await untilIntact(
      async () => {
        const copy = expected === undefined ? await downloads.copyOf(url) : undefined;
        const download = await downloader.fetch(url, limits.maxBytes, copy?.etag);
        if (download === undefined && copy !== undefined) {
          logger.debug(`Using the copy of ${source} in the cache, which is what the server has`);
          return copy.file;
        }
        if (download === undefined) throw new ImageError("invalid", `${source}: the server sent nothing`);
        const stored = await downloads.store(download.body, source, expected);
        if (download.etag !== undefined) downloads.rememberTag(url, download.etag, stored);
        return stored;
      },
      (message) => logger.warn(message),
    );
    return this.#fromArchive(file.path, { source, digest: file.digest });
  }

  async #fromArchive(file: string, origin: { source: string; digest: string }): Promise<Fetched> {
    const dir = this.#newDir();
    await unpackArchive(file, dir, this.#options.limits);
    if (!isFile(join(dir, "oci-layout"))) return { main: { ...this.#read(dir), ...origin }, dependencies: [] };
    const image = await new LayoutStore({ layoutDir: dir }).open(dir);
    if (image === undefined) throw new ImageError("invalid", "its OCI layout holds no image for this machine");
    return this.#fromPackage(image, origin);
  }

  async #fromImage(name: string): Promise<Fetched> {
    const image = await this.#options.images.open(name);
    if (image === undefined) throw failure("buildpackNotFound", `there is no image ${name}`);
    const { identifier } = image;
    return this.#fromPackage(image, { source: identifier, digest: identifier.slice(identifier.lastIndexOf("@") + 1) });
  }

  /** Unpacks a buildpackage's layers (distribution.md, "Buildpackage"). */
  async #fromPackage(image: Image, origin: { source: string; digest: string }): Promise<Fetched> {
    const label = (name: string): string => {
      const text = image.labels.get(name);
      if (text === undefined) throw new ImageError("invalid", `it is no buildpackage: it has no label ${name}`);
      return text;
    };
    const entry = parseBuildpackageLabel(label(BUILDPACKAGE_METADATA_LABEL));
    const packaged = parseBuildpackLayersLabel(label(BUILDPACK_LAYERS_LABEL));
    const root = this.#newDir();
    const budget = { ...this.#options.limits };
    for (const diffId of new Set(packaged.map((each) => each.layerDiffId))) {
      const layer = image.layers.find((each) => each.diffId === diffId);
      if (layer === undefined) throw new ImageError("invalid", `it has no layer ${diffId}, which its label names`);
      const within = join(root, "cnb/buildpacks");
      await extract(bounded(await this.#tarOf(layer), budget), {
        ...budget,
        untrusted: true,
        root,
        within,
        trusted: root,
      });
    }
    const buildpacks = packaged.map(({ id, version }) => {
      const dir = join(root, "cnb/buildpacks", escapeId(id), version);
      if (!versionPattern.test(version) || !isDirectory(dir)) {
        throw failure("buildpackMismatch", `its label names '${id}@${version}', which its layers do not hold`);
      }
      const buildpack = this.#read(dir);
      if (buildpack.id !== id || buildpack.version !== version) {
        const found = `'${buildpack.id}@${buildpack.version}'`;
        throw failure("buildpackMismatch", `its label names '${id}@${version}', but its layer holds ${found}`);
      }
      return { ...buildpack, ...origin };
    });
    const main = buildpacks.find(({ id, version }) => id === entry.id && version === entry.version);
    if (main === undefined) {
      throw failure("buildpackMismatch", `it is for '${entry.id}@${entry.version}', which it does not hold`);
    }
    return { main, dependencies: buildpacks.filter((each) => each !== main) };
  }

  /** A layer's tar, by way of the cache, where it has a digest of its own. */
  async #tarOf(layer: Layer): Promise<AsyncIterable<Uint8Array>> {
    const { downloads } = this.#options;
    const digest = layer.descriptor?.digest;
    if (digest === undefined) return layer.uncompressed();
    const file =
      (await downloads.find(digest)) ?? (await downloads.store(layer.compressed(), `layer ${layer.diffId}`, digest));
    const where = `layer ${layer.diffId}`;
    return verified(decompressed(createReadStream(file.path), where), layer.diffId, undefined, where);
  }

  #read(dir: string): BuildpackOnDisk {
    if (!isFile(join(dir, "buildpack.toml"))) {
      throw failure("buildpackMismatch", "it is no buildpack: there is no buildpack.toml at its top");
    }
    return readBuildpack(dir);
  }

  #newDir(): string {
    this.#unpacked++;
    const dir = join(this.#options.scratch, String(this.#unpacked));
    mkdirSync(dir);
    return dir;
  }

  #scriptFile(inline: string): string | undefined {
    if (!/^\.\/[^\s\0]+$/.test(inline)) return undefined;
    const { appDir } = this.#options;
    const path = join(appDir, inline);
    if (!existsSync(path)) return undefined;
    const real = realpathSync(path);
    return isWithin(real, appDir) && isFile(real) ? readFileSync(real, "utf8") : undefined;
  }
}

/** Names become paths and lines of files. */
function checkNames({ id, version }: FetchedBuildpack): void {
  if (!canBeId(id)) throw failure("buildpackMismatch", `${JSON.stringify(id)} cannot be a buildpack's ID`);
  if (!versionPattern.test(version)) {
    throw failure("buildpackMismatch", `${JSON.stringify(version)} cannot be the version of '${id}'`);
  }
}

function isWithin(path: string, directory: string): boolean {
  return relative(realpathSync(directory), realpathSync(path)).split("/")[0] !== "..";
}

function isFile(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isFile() === true;
}

function isDirectory(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}
