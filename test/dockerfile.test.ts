import { createHash } from "node:crypto";
import { createReadStream, createWriteStream, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { encodeConfig, type ImageConfig } from "../packages/image/src/index.ts";
import { type ReadEntry, TarReader } from "../packages/layers/src/index.ts";
import {
  applyAll,
  baseConfig,
  copyRoot,
  FIXTURES,
  makeBaseRoot,
  makeContext,
  remove,
  temporaryDirectory,
} from "./dockerfile-corpus.ts";
import type { Job, JobResult } from "./dockerfile-driver.ts";
import { type DockerDaemon, startDockerDaemon } from "./harness/docker-daemon.ts";
import { requireServer } from "./harness/require-server.ts";
import { mustRun } from "./harness/run.ts";

const MINUTES = 60_000;

const names = readdirSync(FIXTURES)
  .filter((name) => name.endsWith(".Dockerfile") && !name.endsWith(".classic.Dockerfile"))
  .map((name) => name.slice(0, -".Dockerfile".length));

/** What docs/dockerfile.md says is meant to be different. */
const meant: Record<string, readonly string[]> = {
  "copy-directories": ["everything/modes/setuid"],
  "copy-modes": ["modes/setuid"],
};

describe.runIf(requireServer("dockerd"))("applying Dockerfiles, as docker build applies them", () => {
  const directory = temporaryDirectory();
  const base = join(directory, "base");
  const context = join(directory, "context");
  const results = new Map<string, JobResult>();
  /** What Docker said of what it could not build. */
  const failures = new Map<string, string>();
  let daemon: DockerDaemon;
  let server: Server;
  let buildArgs: Record<string, string>;

  beforeAll(async () => {
    await makeBaseRoot(base);
    await makeContext(context);
    server = createServer((request, response) => {
      const path = new URL(request.url ?? "", "http://host").pathname;
      createReadStream(join(context, path)).pipe(response);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    buildArgs = { given: "given", declared: "from outside", user_id: "1000", url };
    daemon = await startDockerDaemon();
    await loadImages([
      { name: "base", config: { ...baseConfig, rootfs: { type: "layers", diff_ids: [] } }, layers: [] },
    ]);
    const applying = applyCorpus();
    for (const slice of [0, 1]) await buildSlices(slice);
    await applying;
  }, 5 * MINUTES);

  afterAll(async () => {
    server?.close();
    await daemon?.stop();
    remove(directory);
  });

  async function applyCorpus(): Promise<void> {
    const jobs: Job[] = [];
    for (const name of names) {
      const root = join(directory, "roots", name);
      mkdirSync(join(directory, "roots"), { recursive: true });
      await copyRoot(base, root);
      const file = join(FIXTURES, `${name}.Dockerfile`);
      const config: ImageConfig = { ...baseConfig, rootfs: { type: "layers", diff_ids: [await baseDiffId()] } };
      const args = { base_image: "base", ...buildArgs };
      const images = { base };
      jobs.push({ file, root, config, buildArgs: args, context, images, cache: join(directory, "cache", name) });
    }
    const applied = await applyAll(directory, jobs);
    for (const [index, name] of names.entries()) {
      const result = applied[index];
      if (result !== undefined) results.set(name, result);
    }
    const images = [...results].flatMap(([name, { config, layers }]) =>
      config === undefined ? [] : [{ name: `ours/${name}`, config, layers: layers.map(({ path }) => path) }],
    );
    await loadImages(images);
  }

  /** Builds every second Dockerfile, two at a time. */
  async function buildSlices(slice: number): Promise<void> {
    const mine = names.filter((_, index) => index % 2 === slice);
    const halves = [mine.slice(0, mine.length / 2), mine.slice(mine.length / 2)];
    await Promise.all(
      halves.map(async (half) => {
        for (const name of half) await buildWithDocker(name);
      }),
    );
  }

  async function buildWithDocker(name: string): Promise<void> {
    const classic = join(FIXTURES, `${name}.classic.Dockerfile`);
    const own = join(FIXTURES, `${name}.Dockerfile`);
    const file = readdirSync(FIXTURES).includes(`${name}.classic.Dockerfile`) ? classic : own;
    const args = Object.entries({ base_image: "base", ...buildArgs });
    const flags = args.flatMap(([key, value]) => ["--build-arg", `${key}=${value}`]);
    const outcome = await daemon.tryDocker(
      ["build", "--network=none", "--force-rm", "--tag", `docker/${name}`, "--file", file, ...flags, context],
      { env: { PATH: process.env.PATH ?? "", HOME: directory, DOCKER_BUILDKIT: "0" }, timeout: 3 * MINUTES },
    );
    if (outcome.code !== 0) failures.set(name, `${outcome.stdout}${outcome.stderr}`);
  }

  /** The base image's only layer. */
  async function baseTar(): Promise<string> {
    const path = join(directory, "base.tar");
    if (!readdirSync(directory).includes("base.tar")) {
      await mustRun("tar", ["--create", "--numeric-owner", "--xattrs", "--file", path, "--directory", base, "."]);
    }
    return path;
  }

  async function baseDiffId(): Promise<`sha256:${string}`> {
    return `sha256:${createHash("sha256")
      .update(readFileSync(await baseTar()))
      .digest("hex")}`;
  }

  /** Gives images to Docker: each has the base's layer and those in the named gzip files. */
  async function loadImages(
    images: readonly { name: string; config: ImageConfig; layers: readonly string[] }[],
  ): Promise<void> {
    const archive = join(directory, `archive-${Date.now()}`);
    mkdirSync(archive);
    await mustRun("cp", [await baseTar(), join(archive, "base.tar")]);
    const manifest = [];
    for (const [index, { name, config, layers }] of images.entries()) {
      const files = ["base.tar"];
      for (const [layer, path] of layers.entries()) {
        const file = `${index}-${layer}.tar`;
        await pipeline(createReadStream(path), createGunzip(), createWriteStream(join(archive, file)));
        files.push(file);
      }
      const diffIds = layers.length === 0 ? [await baseDiffId()] : config.rootfs.diff_ids;
      const encoded = encodeConfig({ ...config, rootfs: { type: "layers", diff_ids: diffIds } });
      writeFileSync(join(archive, `${index}.json`), encoded);
      manifest.push({ Config: `${index}.json`, RepoTags: [`${name}:latest`], Layers: files });
    }
    writeFileSync(join(archive, "manifest.json"), JSON.stringify(manifest));
    const file = `${archive}.tar`;
    await mustRun("tar", ["--create", "--file", file, "--directory", archive, "."]);
    await daemon.docker("load", "--quiet", "--input", file);
    remove(archive);
    remove(file);
  }

  /** What is in an image, as Docker puts it together, by path. */
  async function filesOf(image: string): Promise<Map<string, unknown>> {
    const container = (await daemon.docker("create", image, "x")).trim();
    const file = join(directory, `${container}.tar`);
    await daemon.docker("export", "--output", file, container);
    await daemon.docker("rm", container);
    const files = new Map<string, unknown>();
    let entry: ReadEntry | undefined;
    let hash = createHash("sha256");
    const reader = new TarReader({
      begin: (next) => {
        entry = next;
        hash = createHash("sha256");
      },
      contents: (bytes) => {
        hash.update(bytes);
      },
      end: () => {
        if (entry === undefined) return;
        const { name, type, mode, uid, gid, size, linkName, xattrs, deviceMajor, deviceMinor } = entry;
        const content = type === "0" ? { size, content: hash.digest("hex") } : {};
        const device = type === "3" || type === "4" ? { deviceMajor, deviceMinor } : {};
        const path = name.replace(/\/$/, "");
        files.set(path, { type, mode, uid, gid, linkName, xattrs: [...xattrs], ...content, ...device });
      },
    });
    for await (const chunk of createReadStream(file)) reader.write(chunk as Buffer);
    reader.finish();
    remove(file);
    return files;
  }

  /** The config of an image, without what tells of the container that Docker made it in. */
  async function configOf(image: string): Promise<Record<string, unknown>> {
    const [{ Author, Config }] = JSON.parse(await daemon.docker("image", "inspect", image));
    const { Hostname, Domainname, Image, AttachStdin, AttachStdout, AttachStderr, Tty, ...config } = Config;
    return { Author: Author ?? "", ...config, OpenStdin: undefined, StdinOnce: undefined };
  }

  it.each(names)("%s", async (name) => {
    const result = results.get(name);
    expect(result?.error).toBeUndefined();
    expect(failures.get(name)).toBeUndefined();
    const [ours, docker] = await Promise.all([filesOf(`ours/${name}`), filesOf(`docker/${name}`)]);
    for (const path of meant[name] ?? []) for (const files of [ours, docker]) files.delete(path);
    expect(Object.fromEntries(ours)).toEqual(Object.fromEntries(docker));
    const [ourConfig, dockerConfig] = await Promise.all([configOf(`ours/${name}`), configOf(`docker/${name}`)]);
    expect(ourConfig).toEqual(dockerConfig);
  });
});
