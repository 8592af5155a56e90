import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Registry } from "./registry.ts";
import { writeScratchImage } from "./scratch-image.ts";
import { copyImage } from "./skopeo.ts";

/**
 * Writes a run image that holds next to nothing to a directory, in OCI layout.
 *
 * @param patch content of /etc/patch, in a second layer; there is no such layer when absent
 */
export async function writeSmallRunImage(layout: string, patch?: string): Promise<void> {
  const root = await mkdtemp(join(tmpdir(), "root-"));
  try {
    const layers: string[] = [];
    const addLayer = async (file: string, content: string) => {
      const layer = join(root, `${layers.length}`);
      await mkdir(join(layer, "etc"), { recursive: true });
      await writeFile(join(layer, "etc", file), content);
      layers.push(layer);
    };
    await addLayer("os-release", 'ID=small\nVERSION_ID="1"\n');
    if (patch !== undefined) await addLayer("patch", patch);
    await writeScratchImage(layout, {
      layers,
      config: {
        User: "1000:1000",
        Env: ["PATH=/bin", "FROM_RUN_IMAGE=yes"],
        Labels: {
          "io.buildpacks.stack.id": "small",
          "io.buildpacks.base.distro.name": "small",
          "io.buildpacks.base.distro.version": "1",
        },
      },
    });
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}

/** Puts that run image, with a second layer for `patch`, into a registry; returns its name there. */
export async function pushSmallRunImage(registry: Registry, patch?: string): Promise<string> {
  const layout = await mkdtemp(join(tmpdir(), "run-image-"));
  try {
    await writeSmallRunImage(layout, patch);
    const name = `${registry.host}/small/run:1`;
    await copyImage(`oci:${layout}`, `docker://${name}`, { to: registry });
    return name;
  } finally {
    await rm(layout, { recursive: true, force: true });
  }
}
