import { readFile } from "node:fs/promises";
import { join } from "node:path";

/**
 * Reads an image in OCI layout.
 *
 * @param {string} layout the image's directory
 * @returns its digest, its configuration, and its layers, lowest first: digest, size in bytes, where it lies and what
 *   it was created by
 */
export async function readImage(layout) {
  const json = async (path) => JSON.parse(await readFile(join(layout, path), "utf8"));
  const blob = (digest) => join("blobs", digest.replace(":", "/"));
  const [descriptor] = (await json("index.json")).manifests;
  const manifest = await json(blob(descriptor.digest));
  const { config, history } = await json(blob(manifest.config.digest));
  const steps = (history ?? []).filter((step) => !step.empty_layer);
  return {
    digest: descriptor.digest,
    config,
    layers: manifest.layers.map(({ digest, size }, index) => ({
      digest,
      size,
      blob: join(layout, blob(digest)),
      createdBy: steps[index]?.created_by ?? "",
    })),
  };
}
