import { existsSync, mkdirSync } from "node:fs";
import { chmod, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { writeLayout } from "./layout.mjs";
import { addBuildTools, makeRunRoot, USER } from "./root.mjs";

/** Raise it when what the stack consists of changes: every checkout then makes it anew. */
const RECIPE = 1;

/**
 * Makes the sample stack in a directory, unless it lies there already:
 *
 * - `run/`: the run image in OCI layout,
 * - `build/`: the build image's root file system,
 * - `stack.json`: the distribution's name and version.
 *
 * Needs no root, no Docker and no registry of images.
 *
 * @param {string} directory
 * @returns {Promise<{ run: string, build: string, distribution: { name: string, version: string } }>}
 * @throws SetupError, one line, when a package cannot be fetched
 */
export async function makeStack(directory) {
  const file = join(directory, "stack.json");
  const paths = { run: join(directory, "run"), build: join(directory, "build") };
  if (existsSync(file)) {
    const { recipe, distribution } = JSON.parse(await readFile(file, "utf8"));
    if (recipe === RECIPE) return { ...paths, distribution };
  }
  mkdirSync(dirname(directory), { recursive: true });
  const work = await mkdtemp(`${directory}-`);
  // The same image, whatever the user's umask.
  const umask = process.umask(0o022);
  try {
    await chmod(work, 0o755);
    const root = join(work, "build");
    const distribution = await makeRunRoot(root);
    await writeLayout(root, join(work, "run"), {
      Env: ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
      User: `${USER.uid}:${USER.gid}`,
      Labels: {
        "io.buildpacks.base.distro.name": distribution.name,
        "io.buildpacks.base.distro.version": distribution.version,
        "io.buildpacks.base.maintainer": "CNB lifecycle samples",
        "io.buildpacks.base.id": "io.buildpacks.samples.stack",
        "io.buildpacks.stack.id": "io.buildpacks.samples.stack",
      },
    });
    await addBuildTools(root);
    await writeFile(join(work, "stack.json"), JSON.stringify({ recipe: RECIPE, distribution }));
    await rm(directory, { recursive: true, force: true });
    await rename(work, directory);
    return { ...paths, distribution };
  } finally {
    process.umask(umask);
    await rm(work, { recursive: true, force: true });
  }
}
