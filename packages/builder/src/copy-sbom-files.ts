import { createReadStream, createWriteStream } from "node:fs";
import { lstat, mkdir, readdir, readlink, symlink } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { escapeId, type SbomFile, sbomFileName } from "@lifecycle/buildpack";

/**
 * Copies the SBOM files of all buildpacks to where the exporter, the restorer and users look for them:
 * `<sbomDir>/<launch, build or cache>/<buildpack>/<layer, if any>/sbom.<format>.json`.
 */
export async function copySbomFiles(files: readonly SbomFile[], sbomDir: string): Promise<void> {
  for (const { path, layerType, buildpackId, layerName } of files) {
    const dir = join(sbomDir, layerType, escapeId(buildpackId), layerName);
    await mkdir(dir, { recursive: true });
    await copy(path, join(dir, sbomFileName(path)));
  }
}

/**
 * Copies contents alone: modes and owners of the copies are those of new files, as the SBOM layer of the reference has
 * them. What is neither file, directory nor symlink is passed over.
 */
async function copy(from: string, to: string): Promise<void> {
  const stats = await lstat(from);
  if (stats.isFile()) {
    await pipeline(createReadStream(from), createWriteStream(to));
  } else if (stats.isSymbolicLink()) {
    await symlink(await readlink(from), to);
  } else if (stats.isDirectory()) {
    await mkdir(to, { recursive: true, mode: 0o755 });
    for (const name of await readdir(from)) await copy(join(from, name), join(to, name));
  }
}
