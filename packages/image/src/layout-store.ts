import { access, constants } from "node:fs/promises";
import { dirname } from "node:path";
import { systemCode } from "@lifecycle/syscall";
import { mapBounded } from "./bounded.ts";
import { encodeConfig } from "./config.ts";
import type { Digest } from "./digest.ts";
import type { ImageDraft } from "./draft.ts";
import { ImageError } from "./errors.ts";
import { fileError } from "./file-error.ts";
import type { Layer } from "./layer.ts";
import { type LayoutListener, LayoutWriter } from "./layout-files.ts";
import { LayoutLayer, openLayout } from "./layout-image.ts";
import { type LayoutPlace, layoutPlace } from "./layout-path.ts";
import { encodeIndex, encodeManifest } from "./manifest.ts";
import { gzipLayerType, layerTypeIn, mediaTypes } from "./media-types.ts";
import { linuxPlatform, type Platform } from "./platform.ts";
import { saveFailure } from "./save-failure.ts";
import type { ImageStore, SavedImage } from "./store.ts";
import type { StoredImage } from "./stored-image.ts";
import { noObserver, type TransferObserver } from "./transfer.ts";

export interface LayoutStoreOptions {
  /** The directory that holds all layouts, absolute (platform.md, `-layout-dir`). */
  readonly layoutDir: string;
  /** Chooses from image indexes; by default linux on this machine's architecture. */
  readonly platform?: Platform;
  /** Told of blobs that are written. */
  readonly observer?: TransferObserver;
  /** Told what went wrong before another attempt. */
  readonly warn?: (message: string) => void;
  /** Ends whatever the store does, with the signal's reason. */
  readonly signal?: AbortSignal;
}

/** The annotation by which tools find an image in a layout (OCI image spec, annotations.md). */
const refNameAnnotation = "org.opencontainers.image.ref.name";

/** Layers written at the same time; each costs a core for its compression. */
const parallelWrites = 4;

/** Images in OCI layouts on disk, one directory for each name (OCI image spec, image-layout.md). */
export class LayoutStore implements ImageStore {
  readonly #layoutDir: string;
  readonly #platform: Platform;
  readonly #listener: LayoutListener;
  readonly #signal: AbortSignal | undefined;

  constructor(options: LayoutStoreOptions) {
    const { platform = linuxPlatform(), observer = noObserver, warn = () => {} } = options;
    this.#layoutDir = options.layoutDir;
    this.#platform = platform;
    this.#listener = { observer, warn };
    this.#signal = options.signal;
  }

  /**
   * The directory of an image; logs and files call the image by it.
   * @throws ImageError `invalid` if a relative name is no reference
   */
  pathOf(name: string): string {
    return layoutPlace(this.#layoutDir, name).path;
  }

  async open(name: string): Promise<StoredImage | undefined> {
    const { path, digest } = layoutPlace(this.#layoutDir, name);
    return openLayout(path, { digest, platform: this.#platform });
  }

  async checkRead(name: string): Promise<void> {
    const { path } = layoutPlace(this.#layoutDir, name);
    try {
      await access(path, constants.R_OK | constants.X_OK);
    } catch (error) {
      if (systemCode(error) !== "ENOENT") throw fileError(error, path);
    }
  }

  async checkWrite(name: string): Promise<void> {
    const { path } = layoutPlace(this.#layoutDir, name);
    // A layout directory that is not there may be mounted for the phases that write to it, as pack does.
    for (let existing = path; existing !== dirname(this.#layoutDir); existing = dirname(existing)) {
      try {
        await access(existing, constants.W_OK | constants.X_OK);
        return;
      } catch (error) {
        if (systemCode(error) !== "ENOENT") throw fileError(error, existing);
      }
    }
  }

  async save(draft: ImageDraft, names: readonly [string, ...string[]]): Promise<SavedImage> {
    const places = names.map((name) => ({ name, place: layoutPlace(this.#layoutDir, name) }));
    const failures = new Map<string, Error>();
    const known = new Map<Digest, LayoutLayer>();
    let written: { digest: Digest; manifestSize: number } | undefined;
    for (const { name, place } of places) {
      try {
        written = await writeLayout(draft, place, known, this.#listener, this.#signal);
      } catch (error) {
        if (!(error instanceof ImageError)) throw error;
        failures.set(name, error);
      }
    }
    const first = places[0]?.place;
    if (written === undefined || first === undefined) throw saveFailure(failures);
    const identifier = `${first.path}@${written.digest}`;
    return { identifier, shortId: identifier, report: { manifestSize: written.manifestSize }, failures };
  }
}

/** @param known layers that were new, as an earlier layout of this image holds them now; added to */
async function writeLayout(
  draft: ImageDraft,
  place: LayoutPlace,
  known: Map<Digest, LayoutLayer>,
  listener: LayoutListener,
  outer: AbortSignal | undefined,
): Promise<{ digest: Digest; manifestSize: number }> {
  const writer = new LayoutWriter(place.path, listener);
  try {
    await writer.begin();
    /** By their digests: reused layers that were damaged, as they were written again. */
    const mended = new Map<Digest, LayoutLayer>();
    const storedOf = (layer: Layer) =>
      layer.descriptor === undefined ? known.get(layer.diffId) : (mended.get(layer.descriptor.digest) ?? layer);
    const distinct = new Map(draft.layers.map((layer) => [layer.descriptor?.digest ?? layer.diffId, layer]));
    const writeNew = async (layer: Layer, signal: AbortSignal): Promise<LayoutLayer> => {
      const { diffId, size } = layer;
      const blob = await writer.writeBlob(undefined, { name: diffId, atMost: size }, () => layer.compressed(), signal);
      return new LayoutLayer(diffId, { mediaType: gzipLayerType(draft.family), ...blob }, place.path);
    };
    const write = async (layer: Layer, signal: AbortSignal): Promise<void> => {
      const stored = storedOf(layer);
      if (stored?.descriptor === undefined) {
        known.set(layer.diffId, await writeNew(layer, signal));
        return;
      }
      if (stored instanceof LayoutLayer && !(await stored.isHeld())) return;
      const { digest } = stored.descriptor;
      try {
        await writer.writeBlob(stored.descriptor, { name: digest }, () => stored.compressed(), signal);
      } catch (error) {
        const made = draft.madeLayer(layer.diffId);
        if (made === undefined || !(error instanceof ImageError) || error.code !== "corrupt") throw error;
        mended.set(digest, await writeNew(made, signal));
      }
    };
    await mapBounded([...distinct.values()], parallelWrites, write, outer);

    const descriptors = draft.layers.map((layer) => storedOf(layer)?.descriptor).filter((known) => known !== undefined);
    const config = await writer.writeBytes(encodeConfig(draft.config()));
    const manifest = draft.manifest(
      config,
      descriptors.map((layer) => ({ ...layer, mediaType: layerTypeIn(draft.family, layer.mediaType) })),
    );
    const { digest, size } = await writer.writeBytes(encodeManifest(manifest));
    if (place.digest !== undefined && place.digest !== digest) {
      throw new ImageError("invalid", `${place.path}: the image has another digest than its name, ${digest}`);
    }
    const annotations = new Map(place.tag === undefined ? [] : [[refNameAnnotation, place.tag]]);
    await writer.finish(
      encodeIndex({
        schemaVersion: 2,
        mediaType: mediaTypes.ociIndex,
        manifests: [{ mediaType: manifest.mediaType, size, digest, annotations: Object.fromEntries(annotations) }],
      }),
    );
    return { digest, manifestSize: size };
  } catch (error) {
    await writer.abandon();
    throw error;
  }
}
