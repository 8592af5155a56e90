import { readdirSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { type Image, type Layer, type LayoutLayer, mediaTypes, openLayout, type StoredImage } from "@lifecycle/image";
import { gzip } from "@lifecycle/layers";
import { systemCode } from "@lifecycle/syscall";

/** A run image with what image extensions added. Its layout holds only the layers that they made. */
export type ExtendedRunImage = StoredImage<LayoutLayer>;

/**
 * Whether there is something that an extender has left.
 *
 * @param extendedDir empty if there is none
 */
export function hasExtended(extendedDir: string): boolean {
  if (extendedDir === "") return false;
  try {
    return readdirSync(join(extendedDir, "run")).length > 0;
  } catch {
    return false;
  }
}

/**
 * Reads the extended run image: the only entry of `<extended>/run`, an OCI layout (platform.md, "extender").
 *
 * @throws Error when there is none, or more than one; ImageError when it is damaged
 */
export async function readExtended(extendedDir: string): Promise<ExtendedRunImage> {
  const directory = join(extendedDir, "run");
  const entries = await readdir(directory).catch((error) => {
    if (systemCode(error) === "ENOENT") return [];
    throw error;
  });
  // what an extender that was killed had begun to write
  const [name, ...others] = entries.filter((entry) => !entry.startsWith("."));
  if (name === undefined) {
    throw new Error(`missing extended run image in ${JSON.stringify(directory)}; run extender with -kind run first`);
  }
  if (others.length > 0) {
    const found = others.length + 1;
    throw new Error(`expected directory ${JSON.stringify(directory)} to have only 1 item; found ${found}`);
  }
  const path = join(directory, name);
  const image = await openLayout(path);
  if (image === undefined) {
    throw new Error(`${path} holds no image; run extender again`);
  }
  return image;
}

/** A layer that an image extension made. */
export interface ExtensionLayer {
  readonly layer: Layer;
  /** What the image's history says of it. */
  readonly createdBy: string | undefined;
}

/**
 * The layers that extensions put on top of the run image's. Those that are gzip files stay as they are.
 *
 * @throws Error when the extended image does not stand on that run image, or a layer is not in its layout
 */
export async function extensionLayers(extended: ExtendedRunImage, runImage: Image): Promise<ExtensionLayer[]> {
  const baseCount = runImage.layers.length;
  const isBase = runImage.layers.every(({ diffId }, index) => extended.layers[index]?.diffId === diffId);
  if (!isBase) {
    throw new Error(`${extended.name} does not extend run image '${runImage.identifier}'; run extender again`);
  }
  const history = (extended.config.history ?? []).filter((entry) => entry.empty_layer !== true);
  const added: ExtensionLayer[] = [];
  for (const [index, layer] of extended.layers.entries()) {
    if (index < baseCount) {
      continue;
    }
    if (!(await layer.isHeld())) {
      throw new Error(`${extended.name} does not hold its layer ${layer.descriptor.digest}; run extender again`);
    }
    const isTar = tarTypes.has(layer.descriptor.mediaType);
    added.push({ layer: isTar ? gzipped(layer) : layer, createdBy: history[index]?.created_by });
  }
  return added;
}

const tarTypes: ReadonlySet<string> = new Set([mediaTypes.ociLayer, mediaTypes.dockerLayer]);

function gzipped(layer: LayoutLayer): Layer {
  return {
    diffId: layer.diffId,
    size: layer.descriptor.size,
    compressed: () => gzip(layer.uncompressed()),
    uncompressed: () => layer.uncompressed(),
  };
}
