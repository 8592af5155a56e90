import { realpathSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { reasonOf } from "@lifecycle/syscall";
import { type BytePath, toBytePath } from "./byte-path.ts";
import { LayerError } from "./errors.ts";
import { NewLayer } from "./new-layer.ts";
import { divide, type Slice } from "./slices.ts";
import { entryOf, type Owner, type PathInfo, parentsOf, type TarEntry, walk, walkByPath } from "./tar-entry.ts";
import { entryType } from "./tar-header.ts";

/** What the image's history says of the layers that the lifecycle makes. */
export const createdBy = {
  app: "Application Layer",
  config: "Buildpacks Launcher Config",
  launcher: "Buildpacks Application Launcher",
  processTypes: "Buildpacks Process Types",
  sbom: "Software Bill-of-Materials",
  /** @param number of the slice, from 1 */
  slice: (number: number): string => `Application Slice: ${number}`,
  buildpack: (layer: string, id: string, version: string): string =>
    `Layer: '${layer}', Created by buildpack: ${id}@${version}`,
} as const;

const cnbDirectory = "/cnb";
const lifecycleDirectory = "/cnb/lifecycle";
const launcherPath = "/cnb/lifecycle/launcher";
const processDirectory = "/cnb/process";

const root: Owner = { uid: 0, gid: 0 };

/**
 * Makes layers from directories and files, byte for byte those of the reference lifecycle. A layer is made once: asked
 * for one with an id it has made before, it gives that one, as exporting and caching share layers.
 */
export class LayerFactory {
  readonly #owner: Owner;
  readonly #debug: (line: string) => void;
  readonly #made = new Map<string, Promise<NewLayer>>();

  /**
   * @param options.uid and `gid`: who owns what layers hold, their parent directories left out
   * @param options.debug takes the log lines that are of interest only when debugging
   */
  constructor(options: { readonly uid: number; readonly gid: number; readonly debug?: (line: string) => void }) {
    this.#owner = { uid: options.uid, gid: options.gid };
    this.#debug = options.debug ?? (() => {});
  }

  /**
   * A directory with all it holds, under its own path, and its parent directories as they are.
   * @param id such as `vendor/buildpack:layer`
   * @param directory made absolute, symlinks in it left alone
   * @throws LayerError `changed` or `unreadable`
   */
  dirLayer(id: string, directory: string, history: string): Promise<NewLayer> {
    const path = toBytePath(resolve(directory));
    return this.#make(id, history, () => this.#withParents(path, walk(path)));
  }

  /** The launcher's configuration: `<layers>/config`. */
  configLayer(layersDirectory: string): Promise<NewLayer> {
    return this.dirLayer("buildpacksio/lifecycle:config", join(layersDirectory, "config"), createdBy.config);
  }

  /** The SBOM files for the image or for the cache: `<layers>/sbom/<of>`. */
  sbomLayer(layersDirectory: string, of: "launch" | "cache"): Promise<NewLayer> {
    return this.dirLayer(`buildpacksio/lifecycle:${of}.sbom`, join(layersDirectory, "sbom", of), createdBy.sbom);
  }

  /**
   * The application directory, divided among slices (buildpack.md, launch.toml).
   * @returns one layer for each slice, in their order, and a last one for what no slice has; some may be empty
   * @throws LayerError `invalid` for a malformed pattern, `changed` or `unreadable`
   */
  async sliceLayers(directory: string, slices: readonly Slice[]): Promise<NewLayer[]> {
    const path = toBytePath(resolve(directory));
    if (slices.length === 0) {
      const whole = this.#make("slice-1", createdBy.app, () => this.#withParents(path, walkByPath(path)));
      return [await whole];
    }
    const layers: NewLayer[] = [];
    for (const [index, found] of divide(walk(path), slices).entries()) {
      const number = index + 1;
      const entries = () => (found.length === 0 ? [] : this.#withParents(path, found));
      layers.push(await this.#make(`slice-${number}`, createdBy.slice(number), entries));
    }
    return layers;
  }

  /**
   * The launcher at `/cnb/lifecycle/launcher`, owned by root and executable by all.
   * @param path where it lies now
   * @throws LayerError `unreadable`
   */
  launcherLayer(path: string): Promise<NewLayer> {
    return this.#make("buildpacksio/lifecycle:launcher", createdBy.launcher, () => {
      const { file, size } = findLauncher(path);
      const launcher = { ...entry(launcherPath, entryType.file, { size }), file };
      return [directory(cnbDirectory), directory(lifecycleDirectory), launcher];
    });
  }

  /**
   * A symlink `/cnb/process/<type>` to the launcher for each process.
   * @throws LayerError `invalid` if a type is empty or cannot be a file name
   */
  async processTypesLayer(types: readonly string[]): Promise<NewLayer> {
    for (const type of types) checkProcessType(type);
    const links = types.map((type) =>
      entry(`${processDirectory}/${type}`, entryType.symlink, { linkName: launcherPath }),
    );
    const entries = [directory(cnbDirectory), directory(processDirectory), ...links];
    return this.#make("buildpacksio/lifecycle:process-types", createdBy.processTypes, () => entries);
  }

  *#withParents(path: BytePath, found: Iterable<PathInfo>): Generator<TarEntry> {
    for (const parent of parentsOf(path)) {
      const made = entryOf(parent);
      if (made !== undefined) yield made;
    }
    for (const info of found) {
      const made = entryOf(info, this.#owner);
      if (made !== undefined) yield made;
    }
  }

  async #make(id: string, history: string, entries: () => Iterable<TarEntry>): Promise<NewLayer> {
    const before = this.#made.get(id);
    if (before !== undefined) {
      const layer = await before;
      this.#debug(`Reusing tarball for layer "${id}" with SHA: ${layer.diffId}`);
      return layer;
    }
    const making = NewLayer.of(id, history, entries);
    this.#made.set(id, making);
    return making;
  }
}

function directory(path: string): TarEntry {
  return entry(path, entryType.directory, {});
}

function entry(
  path: string,
  type: (typeof entryType)["directory" | "file" | "symlink"],
  { size = 0, linkName = "" },
): TarEntry {
  const name = toBytePath(path);
  return { header: { name, type, mode: 0o755, ...root, size, linkName, deviceMajor: 0, deviceMinor: 0 } };
}

function findLauncher(path: string): { file: BytePath; size: number } {
  try {
    const file = realpathSync(path);
    const stats = statSync(file);
    if (stats.isFile()) return { file: toBytePath(file), size: stats.size };
  } catch (error) {
    const what = `failed to stat launcher at path '${path}': ${reasonOf(error)}`;
    throw new LayerError("unreadable", what, { cause: error });
  }
  throw new LayerError("unreadable", `the launcher at path '${path}' is not a file`);
}

const forbiddenCharacters = "/><:|&\\";

function checkProcessType(type: string): void {
  if (type === "") throw new LayerError("invalid", "type is required for all processes");
  if (![...forbiddenCharacters].some((character) => type.includes(character))) return;
  const rule = `type may not contain characters '${forbiddenCharacters}'`;
  throw new LayerError("invalid", `invalid process type '${type}': ${rule}`);
}
