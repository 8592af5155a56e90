import { access } from "node:fs/promises";
import { parseConfig } from "./config.ts";
import type { Descriptor } from "./descriptor.ts";
import type { Digest } from "./digest.ts";
import { ImageError } from "./errors.ts";
import { blobPath, readBlob, readIndex, readSmallBlob } from "./layout-files.ts";
import { type ImageIndex, isIndex, type Manifest, parseManifestOrIndex } from "./manifest.ts";
import { linuxPlatform, type Platform, satisfies } from "./platform.ts";
import { StoredImage, StoredLayer } from "./stored-image.ts";

/**
 * The image in a layout: the one with the digest if one is asked for, else the only one, else the first for the platform.
 * Layers that the layout does not hold show when they are read.
 * @param path the layout's directory, absolute
 * @param options.platform by default linux on this machine's architecture
 * @returns undefined if there is no layout, or no such image in it
 * @throws ImageError if the layout, the manifest or the config is damaged
 */
export async function openLayout(
  path: string,
  options: { readonly digest?: Digest | undefined; readonly platform?: Platform } = {},
): Promise<StoredImage<LayoutLayer> | undefined> {
  const { platform = linuxPlatform() } = options;
  const index = await readIndex(path);
  let entry = index && choose(index, options.digest, platform);
  if (entry === undefined) return undefined;
  let { manifest, bytes } = await readManifest(path, entry);
  if (isIndex(manifest)) {
    entry = choose(manifest, undefined, platform);
    if (entry === undefined) return undefined;
    ({ manifest, bytes } = await readManifest(path, entry));
    if (isIndex(manifest)) throw new ImageError("invalid", `${path}: an image index inside an image index`);
  }
  const configBytes = await readSmallBlob(path, manifest.config);
  const config = parseConfig(configBytes, path);
  const identifier = `${path}@${entry.digest}`;
  return new StoredImage(
    { name: path, identifier, manifest, config, bytes: { manifest: bytes, config: configBytes } },
    (diffId, descriptor) => new LayoutLayer(diffId, descriptor, path),
  );
}

function choose({ manifests }: ImageIndex, digest: Digest | undefined, platform: Platform): Descriptor | undefined {
  if (digest !== undefined) return manifests.find((entry) => entry.digest === digest);
  if (manifests.length === 1) return manifests[0];
  return manifests.find((entry) => satisfies(entry.platform, platform));
}

async function readManifest(
  layout: string,
  descriptor: Descriptor,
): Promise<{ manifest: Manifest | ImageIndex; bytes: Uint8Array }> {
  const bytes = await readSmallBlob(layout, descriptor);
  return { manifest: parseManifestOrIndex(bytes, descriptor.mediaType, layout), bytes };
}

/** A layer in a layout. Sparse layouts name layers that they do not hold. */
export class LayoutLayer extends StoredLayer {
  readonly #layout: string;

  constructor(diffId: Digest, descriptor: Descriptor, layout: string) {
    super(diffId, descriptor);
    this.#layout = layout;
  }

  compressed(): AsyncIterable<Uint8Array> {
    return readBlob(this.#layout, this.descriptor);
  }

  /** Whether the layout holds the blob. */
  async isHeld(): Promise<boolean> {
    return access(blobPath(this.#layout, this.descriptor.digest)).then(
      () => true,
      () => false,
    );
  }
}
