import { chmod, chown, cp, mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { writeNpmrcBinding } from "../../images/stack/npmrc.mjs";
import { makeStack, type Stack } from "../../images/stack/stack.mjs";
import { type ContainerOptions, importImage, runContainer } from "./containers.ts";
import { distribution } from "./distribution.ts";
import type { DockerDaemon } from "./docker-daemon.ts";
import { mustRun, type Outcome } from "./run.ts";

const REPOSITORY = fileURLToPath(new URL("../..", import.meta.url));

/** A buildpacks directory as `/cnb/buildpacks`, with an `order.toml` in it. */
export const SAMPLE_BUILDPACKS = join(REPOSITORY, "images/samples/buildpacks");

/** The Express application. */
export const SAMPLE_APP = join(REPOSITORY, "images/samples/apps/express");

/** User and group of builds, the buildpacks' user. */
export const BUILD_USER = { uid: 1000, gid: 1000 } as const;

/** The sample stack: made on first use, a few seconds, and kept in `dist/`. */
export function sampleStack(): Promise<Stack> {
  return makeStack(join(REPOSITORY, "dist/stack"));
}

/** What one build reads and writes, as a platform gives it to the phases; it belongs to {@link BUILD_USER}. */
export interface Volumes {
  workspace: string;
  layers: string;
  platform: string;
  /** A cache directory. */
  cache: string;
  /** For files of the test's own: run.toml, daemon.json, …; `/files` in containers. */
  work: string;
  /** A copy of {@link SAMPLE_BUILDPACKS}; tests may change it. */
  buildpacks: string;
  /** Deletes them all. */
  remove(): Promise<void>;
}

/**
 * Makes the volumes of a build.
 *
 * @param app the directory whose content becomes the application's source
 * @param cache the cache of an earlier build; a new one when absent
 */
export async function makeVolumes(app: string, cache?: string): Promise<Volumes> {
  const directory = await mkdtemp(join(tmpdir(), "volumes-"));
  // Containers' users pass through it.
  await chmod(directory, 0o755);
  const place = async (name: string) => {
    await mkdir(join(directory, name));
    return join(directory, name);
  };
  const volumes: Volumes = {
    workspace: await place("workspace"),
    layers: await place("layers"),
    platform: await place("platform"),
    cache: cache ?? (await place("cache")),
    work: await place("work"),
    buildpacks: await place("buildpacks"),
    remove: () => rm(directory, { recursive: true, force: true }),
  };
  await cp(app, volumes.workspace, { recursive: true, filter: (path) => path !== join(app, "node_modules") });
  await cp(SAMPLE_BUILDPACKS, volumes.buildpacks, { recursive: true });
  await mkdir(join(volumes.platform, "env"));
  await writeNpmrcBinding(join(volumes.platform, "bindings/npmrc"), "/platform/bindings/npmrc");
  await giveToBuildUser(directory);
  return volumes;
}

/** As root: makes a directory and what it holds belong to {@link BUILD_USER}. */
export async function giveToBuildUser(directory: string): Promise<void> {
  if (process.getuid?.() !== 0) return;
  const { uid, gid } = BUILD_USER;
  await chown(directory, uid, gid);
  for (const entry of await readdir(directory, { recursive: true, withFileTypes: true })) {
    if (!entry.isSymbolicLink()) await chown(join(entry.parentPath, entry.name), uid, gid);
  }
}

/** A build image in a Docker daemon, in whose containers the phases run as a platform runs them. */
export interface Builder {
  /** The build image's name in the daemon. */
  readonly image: string;
  /** Unpacked from the archive in `dist/`: what is at `/cnb/lifecycle` in the containers. */
  readonly lifecycle: string;
  /**
   * Runs a phase in a container of its own, as {@link BUILD_USER} unless told otherwise, with the volumes at
   * `/workspace`, `/layers`, `/platform`, `/cache`, `/files` and `/cnb/buildpacks` (read-only, `order.toml` in it).
   *
   * @param command name of the executable and its arguments: `["detector", "-app", "/workspace"]`
   */
  run(volumes: Volumes, command: string[], options?: Partial<ContainerOptions>): Promise<Outcome>;
  /** Deletes the unpacked lifecycle; the image goes with its daemon. */
  remove(): Promise<void>;
}

/**
 * Makes the build image of the sample stack in a daemon.
 *
 * @param lifecycle a directory to have at `/cnb/lifecycle` instead of what `dist/` holds
 */
export async function makeBuilder(daemon: DockerDaemon, lifecycle?: string): Promise<Builder> {
  const { build } = await sampleStack();
  const image = "samples/build:latest";
  await importImage(daemon, build, image, [
    "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    `USER ${BUILD_USER.uid}:${BUILD_USER.gid}`,
  ]);
  const directory = await mkdtemp(join(tmpdir(), "lifecycle-"));
  await chmod(directory, 0o755);
  const unpacked = lifecycle ?? (await unpackLifecycle(directory));
  return {
    image,
    lifecycle: unpacked,
    run: (volumes, [name = "", ...args], options = {}) =>
      runContainer(daemon, {
        image,
        command: [`/cnb/lifecycle/${name}`, ...args],
        ...options,
        env: {
          HOME: "/home/cnb",
          CNB_USER_ID: `${BUILD_USER.uid}`,
          CNB_GROUP_ID: `${BUILD_USER.gid}`,
          CNB_NO_COLOR: "true",
          ...options.env,
        },
        mounts: { ...mountsOf(volumes, unpacked), ...options.mounts },
      }),
    remove: () => rm(directory, { recursive: true, force: true }),
  };
}

/** Where phases find the volumes of a build and the lifecycle. */
export function mountsOf(volumes: Volumes, lifecycle: string) {
  return {
    "/cnb/lifecycle": `${lifecycle}:ro`,
    "/cnb/buildpacks": `${volumes.buildpacks}:ro`,
    "/workspace": volumes.workspace,
    "/layers": volumes.layers,
    "/platform": volumes.platform,
    "/cache": volumes.cache,
    "/files": volumes.work,
  };
}

/**
 * Unpacks the archive that `npm run build` makes for builder images.
 *
 * @returns the directory with the executables
 */
export async function unpackLifecycle(directory: string): Promise<string> {
  // Not with the npm package tar: for a symlink in lifecycle/ to lifecycle it waits for itself.
  await mustRun("tar", ["--extract", "--file", distribution().archive, "--directory", directory]);
  return join(directory, "lifecycle");
}
