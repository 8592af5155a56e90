import { createHash } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { gzipSync } from "node:zlib";
import { create } from "tar";
import type { Descriptor, ImageConfig } from "./skopeo.ts";

/** What an image made from nothing holds. */
export interface ScratchImage {
  /** One directory for each layer, lowest first; its content becomes the layer's. */
  layers: string[];
  /** Goes into the image's configuration, beside the root file system and its layers. */
  config?: ImageConfig["config"];
  os?: string;
  architecture?: string;
}

/** Writes an image in OCI layout to a directory, from directories; files belong to root in it. */
export async function writeScratchImage(directory: string, image: ScratchImage): Promise<Descriptor> {
  const write = async (mediaType: string, content: Buffer): Promise<Descriptor> => {
    const hex = createHash("sha256").update(content).digest("hex");
    const path = join(directory, "blobs/sha256", hex);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, content);
    return { mediaType, digest: `sha256:${hex}`, size: content.length };
  };
  const layers: Descriptor[] = [];
  const diffIds: string[] = [];
  for (const layer of image.layers) {
    const file = join(directory, "layer.tar");
    await mkdir(directory, { recursive: true });
    await create({ cwd: layer, file, portable: true, mtime: new Date(0) }, ["."]);
    const content = await readFile(file);
    diffIds.push(`sha256:${createHash("sha256").update(content).digest("hex")}`);
    layers.push(await write("application/vnd.oci.image.layer.v1.tar+gzip", gzipSync(content, { level: 1 })));
  }
  const config: ImageConfig = {
    created: "1980-01-01T00:00:01Z",
    os: image.os ?? "linux",
    architecture: image.architecture ?? "amd64",
    config: image.config ?? {},
    rootfs: { diff_ids: diffIds },
  };
  const json = (value: unknown) => Buffer.from(JSON.stringify(value));
  const mediaType = "application/vnd.oci.image.manifest.v1+json";
  const manifest = await write(
    mediaType,
    json({
      schemaVersion: 2,
      mediaType,
      config: await write(
        "application/vnd.oci.image.config.v1+json",
        json({ ...config, rootfs: { type: "layers", ...config.rootfs } }),
      ),
      layers,
    }),
  );
  await writeFile(join(directory, "oci-layout"), json({ imageLayoutVersion: "1.0.0" }));
  await writeFile(join(directory, "index.json"), json({ schemaVersion: 2, manifests: [manifest] }));
  return manifest;
}
