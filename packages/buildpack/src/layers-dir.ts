import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import {
  type BuildpackLayerMetadata,
  formatRestoredLayerToml,
  type GroupElement,
  type LayerToml,
  parseLayerToml,
  parseStoreToml,
  type StoreToml,
} from "@lifecycle/spec-types";
import { messageOf } from "@lifecycle/syscall";
import type { Logger } from "./logger.ts";
import { escapeId } from "./module.ts";
import { readOutputFile } from "./output-file.ts";
import { compareBytes, isNotFound, readDirSorted } from "./read-dir.ts";

/** Files in a buildpack's directory that look like a layer's metadata but are not. */
const otherFiles = new Set(["build", "launch"]);

/** `<layers>/<buildpack>`: what a buildpack left, or what was restored for it. */
export class LayersDir {
  /** Absolute path. */
  readonly path: string;
  readonly buildpack: GroupElement;
  /** All layers, by their identifiers' bytes. */
  readonly layers: readonly Layer[];
  /** What store.toml says; undefined if there is none. */
  readonly store: StoreToml | undefined;

  private constructor(
    path: string,
    buildpack: GroupElement,
    content: { readonly layers: readonly Layer[]; readonly store: StoreToml | undefined },
  ) {
    this.path = path;
    this.buildpack = buildpack;
    this.layers = content.layers;
    this.store = content.store;
  }

  /**
   * Reads the directory of a buildpack below `layersDir`; one that does not exist has no layers.
   *
   * @throws Error if the directory or store.toml cannot be read
   */
  static read(layersDir: string, buildpack: GroupElement, logger: Logger): LayersDir {
    const path = join(layersDir, escapeId(buildpack.id));
    logger.debug(`Reading buildpack directory: ${path}`);
    const names = new Set<string>();
    let store: StoreToml | undefined;
    for (const entry of readDirSorted(path)) {
      logger.debug(`Reading buildpack directory item: ${entry.name}`);
      if (entry.isDirectory()) names.add(entry.name);
      else if (entry.name === "store.toml") store = readStore(join(path, entry.name), buildpack);
      else if (entry.name.endsWith(".toml")) {
        const name = entry.name.slice(0, -".toml".length);
        if (!otherFiles.has(name)) names.add(name);
      }
    }
    const layers = [...names].sort(compareBytes).map((name) => new Layer(path, buildpack.id, name));
    return new LayersDir(path, buildpack, { layers, store });
  }

  /** The layer of that name, whether anything of it exists or not. */
  layer(name: string): Layer {
    return new Layer(this.path, this.buildpack.id, name);
  }
}

/** A layer of a buildpack: `<layers>/<buildpack>/<layer>` and the files beside it. */
export class Layer {
  readonly name: string;
  /** `<buildpack id>:<layer>`, as log lines name it. */
  readonly identifier: string;
  /** Absolute path of its directory. */
  readonly path: string;

  constructor(buildpackPath: string, buildpackId: string, name: string) {
    this.name = name;
    this.identifier = `${buildpackId}:${name}`;
    this.path = join(buildpackPath, name);
  }

  /** Whether the layer's directory exists. */
  hasLocalContents(): boolean {
    return statSync(this.path, { throwIfNoEntry: false }) !== undefined;
  }

  /**
   * What `<layer>.toml` and `<layer>.sha` say; of a missing one, nothing.
   *
   * @throws Error if a file is malformed or cannot be read
   */
  read(): BuildpackLayerMetadata {
    return { ...readLayerToml(`${this.path}.toml`), sha: readIfExists(`${this.path}.sha`) };
  }

  /** As `read`; undefined if the metadata is malformed. */
  tryRead(): BuildpackLayerMetadata | undefined {
    try {
      return this.read();
    } catch {
      return undefined;
    }
  }

  /** Removes the directory and the files beside it, as far as they exist. */
  remove(): void {
    rmSync(this.path, { recursive: true, force: true });
    rmSync(`${this.path}.sha`, { force: true });
    rmSync(`${this.path}.toml`, { force: true });
  }

  /** Writes `<layer>.toml` with its `[metadata]` alone: the buildpack decides anew what the layer is for. */
  writeMetadata(metadata: Pick<LayerToml, "metadata">): void {
    mkdirSync(dirname(this.path), { recursive: true });
    writeFileSync(`${this.path}.toml`, formatRestoredLayerToml(metadata));
  }

  /** @param sha diffID of the layer, `sha256:<hex>` */
  writeSha(sha: string): void {
    writeFileSync(`${this.path}.sha`, sha);
  }
}

/** The layers that go into the app image. */
export function isLaunch(layer: Layer): boolean {
  return layer.tryRead()?.launch === true;
}

/** The layers that go into the cache. */
export function isCached(layer: Layer): boolean {
  return layer.tryRead()?.cache === true;
}

/** Why a layer's metadata cannot be read; undefined if it can. */
export function whyMalformed(layer: Layer): string | undefined {
  try {
    layer.read();
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
}

/**
 * Reads a `<layer>.toml`; one that does not exist has no types and no metadata.
 *
 * @throws Error if it is malformed
 */
export function readLayerToml(path: string): LayerToml {
  const text = readOutputFile(path);
  return text === undefined ? { build: false, launch: false, cache: false } : parseLayerToml(text, path);
}

function readStore(path: string, buildpack: GroupElement): StoreToml | undefined {
  try {
    const text = readOutputFile(path);
    return text === undefined ? undefined : parseStoreToml(text, path);
  } catch (error) {
    throw new Error(`failed decoding store.toml for buildpack ${JSON.stringify(buildpack.id)}: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

function readIfExists(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (isNotFound(error)) return "";
    throw error;
  }
}
