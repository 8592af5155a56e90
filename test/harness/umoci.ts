import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Registry } from "./registry.ts";
import { mustRun } from "./run.ts";
import { copyImage } from "./skopeo.ts";

/**
 * Unpacks an image's layers, whiteouts applied, with umoci.
 *
 * @param location a reference of skopeo's, as `oci:<directory>` or `docker://<host>/<name>:<tag>`
 * @param directory where the root file system goes: `<directory>/rootfs`; must not exist yet
 * @returns the root file system's path
 */
export async function unpackImage(location: string, directory: string, registry?: Registry): Promise<string> {
  const copy = await mkdtemp(join(tmpdir(), "unpack-"));
  try {
    await copyImage(location, `oci:${copy}:image`, registry && { from: registry });
    const rootless = process.getuid?.() === 0 ? [] : ["--rootless"];
    await mustRun("umoci", ["unpack", ...rootless, "--image", `${copy}:image`, directory]);
    return join(directory, "rootfs");
  } finally {
    await rm(copy, { recursive: true, force: true });
  }
}
