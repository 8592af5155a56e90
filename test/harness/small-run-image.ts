import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Registry } from "./registry.ts";
import { writeScratchImage } from "./scratch-image.ts";
import { copyImage } from "./skopeo.ts";

/** Writes a run image that holds next to nothing to a directory, in OCI layout. */
export async function writeSmallRunImage(layout: string): Promise<void> {
  const root = await mkdtemp(join(tmpdir(), "root-"));
  try {
    await mkdir(join(root, "etc"));
    await writeFile(join(root, "etc/os-release"), 'ID=small\nVERSION_ID="1"\n');
    await writeScratchImage(layout, {
      layers: [root],
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

/** Puts that run image into a registry; returns its name there. */
export async function pushSmallRunImage(registry: Registry): Promise<string> {
  const layout = await mkdtemp(join(tmpdir(), "run-image-"));
  try {
    await writeSmallRunImage(layout);
    const name = `${registry.host}/small/run:1`;
    await copyImage(`oci:${layout}`, `docker://${name}`, { to: registry });
    return name;
  } finally {
    await rm(layout, { recursive: true, force: true });
  }
}
