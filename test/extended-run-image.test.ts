import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { chmod, mkdir, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { parseAnalyzed } from "@lifecycle/spec-types";
import { create } from "tar";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type LocalDaemon, startDaemon } from "./harness/local-daemon.ts";
import { PHASE_USER, PhaseRunner } from "./harness/phase-runner.ts";
import { type Registry, startRegistry } from "./harness/registry.ts";
import { requireRoot, requireServer } from "./harness/require-server.ts";
import { mustRun, type Outcome } from "./harness/run.ts";
import { copyImage, type Descriptor, type ImageConfig, type InspectedImage, inspectImage } from "./harness/skopeo.ts";
import { pushSmallRunImage, writeSmallRunImage } from "./harness/small-run-image.ts";
import { unpackImage } from "./harness/umoci.ts";

const TAR = "application/vnd.oci.image.layer.v1.tar";
const OWN_LAYERS = ["Application Layer", "Buildpacks Application Launcher", "Buildpacks Launcher Config"];
const MADE_BY = "Layer: 'RUN install', Created by extension: test/installs";
const NO_IMAGES = ["-uid", `${PHASE_USER.uid}`, "-gid", `${PHASE_USER.gid}`, "-no-color"];

const digestOf = (bytes: Uint8Array) => `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
const hexOf = (digest: string) => digest.replace("sha256:", "");

let runner: PhaseRunner;
let registry: Registry;
let runImage: string;
let base: InspectedImage;

const canRun = requireServer("docker-registry", "skopeo", "umoci");

beforeAll(async () => {
  if (!canRun) return;
  registry = await startRegistry();
  runner = await PhaseRunner.create("exporter", "restorer", "rebaser");
  runImage = await pushSmallRunImage(registry, "first\n");
  base = await inspectImage(`docker://${runImage}`, registry);
  await runner.write("app/main.txt", "main\n");
});

beforeEach(async () => {
  if (!canRun) return;
  await runner.reset();
  const buildpack = 'id = "test/app"\nversion = "1.0.0"\napi = "0.12"\n';
  const extension = 'id = "test/installs"\nversion = "1.0.0"\napi = "0.12"\n';
  await runner.write("layers/group.toml", `[[group]]\n${buildpack}\n[[group-extensions]]\n${extension}`);
  const metadata = `[[buildpacks]]\n${buildpack}\n[[extensions]]\n${extension}`;
  await runner.write("layers/config/metadata.toml", metadata);
  await runner.write("run.toml", `[[images]]\nimage = "${runImage}"\n`);
  await writeAnalyzed({ reference: referenceOf(base), image: runImage, extend: true });
});

afterAll(async () => {
  await registry?.stop();
  await runner?.remove();
});

const referenceOf = ({ digest }: InspectedImage) => `${registry.host}/small/run@${digest}`;

async function writeAnalyzed(image: { reference: string; image?: string; extend: boolean }, previous = "") {
  const lines = Object.entries(image).map(([key, value]) => `${key} = ${JSON.stringify(value)}\n`);
  const text = `[image]\nreference = "${previous}"\n[run-image]\n${lines.join("")}`;
  await chmod(await runner.write("layers/analyzed.toml", text), 0o666);
}

/** What becomes of the run image. */
interface Extension {
  config?: ImageConfig["config"];
  /** Layers that the extension makes, by the name of the one file in each. */
  files?: readonly string[];
  /** How its blobs are stored. */
  blobs?: "gzip" | "tar";
  /** What the extended image says of the layers below; those of the run image when absent. */
  base?: readonly (Descriptor & { diffId: string })[];
}

/** Writes `<layers>/extended/run` as an extender does; returns the layout's directory and the new layers. */
async function extend(extension: Extension = {}): Promise<{ layout: string; blobs: Descriptor[] }> {
  const { files = ["installed"], blobs = "gzip" } = extension;
  const work = await mkdtemp(join(runner.layersDir, "extended-"));
  const put = async (mediaType: string, bytes: Buffer): Promise<Descriptor> => {
    await writeFile(join(work, "blobs/sha256", hexOf(digestOf(bytes))), bytes);
    return { mediaType, digest: digestOf(bytes), size: bytes.length };
  };
  await mkdir(join(work, "blobs/sha256"), { recursive: true });
  const made: (Descriptor & { diffId: string })[] = [];
  for (const file of files) {
    const tree = await mkdtemp(join(tmpdir(), "layer-"));
    await mkdir(join(tree, "opt"));
    await writeFile(join(tree, "opt", file), "by an extension\n");
    const tar = join(tree, "layer.tar");
    await create({ cwd: tree, file: tar, portable: true, mtime: new Date(0) }, ["opt"]);
    const bytes = await readFile(tar);
    const blob = blobs === "gzip" ? await put(`${TAR}+gzip`, gzipSync(bytes)) : await put(TAR, bytes);
    made.push({ ...blob, diffId: digestOf(bytes) });
    await rm(tree, { recursive: true });
  }
  const { config, manifest } = base;
  const baseLayers = manifest.layers.map((layer, i) => ({ ...layer, diffId: config.rootfs.diff_ids[i] ?? "" }));
  const layers = [...(extension.base ?? baseLayers), ...made];
  const history = [
    ...(extension.base ?? baseLayers).map((_, i) => ({ created_by: `base ${i}` })),
    { created_by: "LABEL", empty_layer: true },
    ...files.map(() => ({ created: "2026-01-01T00:00:00Z", created_by: MADE_BY })),
  ];
  const configBytes = JSON.stringify({
    ...config,
    config: { ...config.config, ...extension.config },
    history,
    rootfs: { type: "layers", diff_ids: layers.map(({ diffId }) => diffId) },
  });
  const manifestBytes = JSON.stringify({
    schemaVersion: 2,
    mediaType: "application/vnd.oci.image.manifest.v1+json",
    config: await put("application/vnd.oci.image.config.v1+json", Buffer.from(configBytes)),
    layers: layers.map(({ diffId: _, ...layer }) => layer),
  });
  const entry = await put("application/vnd.oci.image.manifest.v1+json", Buffer.from(manifestBytes));
  await writeFile(join(work, "index.json"), JSON.stringify({ schemaVersion: 2, manifests: [entry] }));
  await writeFile(join(work, "oci-layout"), '{"imageLayoutVersion":"1.0.0"}');
  await chmod(work, 0o755);
  const layout = join(runner.layersDir, "extended/run", entry.digest);
  await mkdir(join(runner.layersDir, "extended/run"), { recursive: true });
  await rename(work, layout);
  return { layout, blobs: made.map(({ diffId: _, ...blob }) => blob) };
}

const exporterArgs = (image: string, more: readonly string[] = []) => [
  ...["-app", runner.appDir, "-layers", runner.layersDir, "-run", join(runner.dir, "run.toml"), ...more],
  ...["-launcher", join(runner.dir, "launcher"), ...NO_IMAGES, image],
];

function exportApp(image: string, env: Record<string, string> = {}): Promise<Outcome> {
  return runner.run("exporter", exporterArgs(image), env);
}

/** The requests that the registry got since a length of its log. */
const requestsSince = (mark: number) =>
  registry
    .log()
    .slice(mark)
    .split("\n")
    .flatMap((line) => /"([A-Z]+ \S+) HTTP\S+" (\d+)/.exec(line)?.slice(1, 3).join(" ") ?? []);

const rebasable = (value: string) => ({
  Labels: { ...base.config.config.Labels, "io.buildpacks.rebasable": value },
});

describe.runIf(canRun)("exporter, of an extended run image", () => {
  const name = (tag: string) => `${registry.host}/team/${tag}`;
  const inspect = (image: string) => inspectImage(`docker://${image}`, registry);

  it("makes an app image with its config and layers, which a rebase keeps", async () => {
    const { blobs } = await extend({
      config: { ...rebasable("true"), User: "1000:2000", Env: ["PATH=/opt:/bin", "ADDED=yes"] },
      files: ["one", "two"],
    });
    const image = name("app:1");
    expect(await exportApp(image)).toMatchObject({ code: 0, stderr: "" });
    const { config, manifest } = await inspect(image);
    expect(config.config).toMatchObject({
      User: "1000:2000",
      Env: expect.arrayContaining(["PATH=/cnb/process:/cnb/lifecycle:/opt:/bin", "ADDED=yes"]),
      Labels: { "io.buildpacks.rebasable": "true", "io.buildpacks.base.distro.name": "small" },
    });
    expect(config.config.Env).not.toContain("FROM_RUN_IMAGE=yes");
    expect(manifest.layers.slice(0, 4)).toEqual([...base.manifest.layers, ...blobs]);
    const history = config.history?.map(({ created_by }) => created_by);
    expect(history).toEqual([undefined, undefined, MADE_BY, MADE_BY, ...OWN_LAYERS]);
    const label = JSON.parse(config.config.Labels?.["io.buildpacks.lifecycle.metadata"] ?? "");
    expect(label.runImage).toEqual({
      topLayer: base.config.rootfs.diff_ids.at(-1),
      reference: referenceOf(base),
      image: runImage,
    });

    // The next image takes the extension's layers from there.
    await writeAnalyzed({ reference: referenceOf(base), image: runImage, extend: true }, image);
    const mark = registry.log().length;
    expect(await exportApp(name("other:1"))).toMatchObject({ code: 0 });
    const mounted = requestsSince(mark).flatMap((request) => /mount=(\S+)&\S* 201$/.exec(request)?.[1] ?? []);
    const digests = blobs.map(({ digest }) => encodeURIComponent(digest));
    expect(mounted).toEqual(expect.arrayContaining(digests));
    expect((await inspect(name("other:1"))).config.rootfs).toEqual(config.rootfs);

    await pushSmallRunImage(registry, "second\n");
    try {
      const args = ["-report", join(runner.layersDir, "report.toml"), ...NO_IMAGES, image];
      expect(await runner.run("rebaser", args)).toMatchObject({ code: 0, stderr: "" });
    } finally {
      await pushSmallRunImage(registry, "first\n");
    }
    const rebased = await inspect(image);
    expect(rebased.manifest.layers.slice(2)).toEqual(manifest.layers.slice(2));
    expect(rebased.manifest.layers[1]).not.toEqual(manifest.layers[1]);
    // A rebase keeps no history of any layer but its time, as in the Go lifecycle.
    expect(rebased.config.history).toHaveLength(rebased.manifest.layers.length);
    expect(rebased.config.config.Env).toEqual(config.config.Env);
    const root = await unpackImage(`docker://${image}`, join(runner.dir, "rebased"), registry);
    expect(readFileSync(join(root, "etc/patch"), "utf8")).toBe("second\n");
    expect(readFileSync(join(root, "opt/two"), "utf8")).toBe("by an extension\n");
    expect(readFileSync(join(root, runner.appDir, "main.txt"), "utf8")).toBe("main\n");
  });

  it.each<[string, ImageConfig["config"]]>([
    ["says so", { Labels: { "io.buildpacks.rebasable": "false" } }],
    ["does not say", { Labels: {} }],
  ])("makes an app image that is not rebased without -force if the extended one %s", async (_, { Labels }) => {
    await extend({ config: { Labels: { ...base.config.config.Labels, ...Labels } } });
    const image = name("fixed:1");
    expect(await exportApp(image)).toMatchObject({ code: 0 });
    const before = await inspect(image);
    expect(before.config.config.Labels).toMatchObject({ "io.buildpacks.rebasable": "false" });
    const rebase = (...flags: string[]) =>
      runner.run("rebaser", [...flags, "-report", join(runner.layersDir, "report.toml"), ...NO_IMAGES, image]);
    const refused = await rebase();
    expect(refused.stdout).toBe(
      "ERROR: failed to rebase: app image is not marked as rebasable; please provide -force to override\n",
    );
    expect(refused.code).toBe(72);
    expect((await inspect(image)).digest).toBe(before.digest);
    const forced = await rebase("-force");
    expect(forced.stdout).toContain("Warning: app image is not marked as rebasable\n");
    expect(forced.code).toBe(0);
    expect((await inspect(image)).config.rootfs).toEqual(before.config.rootfs);
  });

  it("compresses what the extender left uncompressed", async () => {
    await extend({ blobs: "tar" });
    const image = name("tar:1");
    expect(await exportApp(image)).toMatchObject({ code: 0 });
    expect((await inspect(image)).manifest.layers[2]?.mediaType).toBe(`${TAR}+gzip`);
    const root = await unpackImage(`docker://${image}`, join(runner.dir, "unpacked-tar"), registry);
    expect(readFileSync(join(root, "opt/installed"), "utf8")).toBe("by an extension\n");
  });

  it("asks before Platform API 0.13 whether it may", async () => {
    await extend();
    const image = name("experimental:1");
    const api = { CNB_PLATFORM_API: "0.12" };
    const refused = await exportApp(image, { ...api, CNB_EXPERIMENTAL_MODE: "error" });
    expect(refused.stdout).toContain("ERROR: Platform requested experimental feature 'Dockerfiles'\n");
    expect(refused.code).toBe(1);
    const warned = await exportApp(image, { ...api, CNB_EXPERIMENTAL_MODE: "warn" });
    expect(warned.stdout).toContain("Warning: Platform requested experimental feature 'Dockerfiles'\n");
    expect(warned.code).toBe(0);
    expect((await inspect(image)).manifest.layers).toHaveLength(6);
  });

  it("leaves out what lies there when the run image is not to be extended", async () => {
    await extend({ config: { User: "0:0" } });
    await writeAnalyzed({ reference: referenceOf(base), image: runImage, extend: false });
    const image = name("stale:1");
    const outcome = await exportApp(image);
    expect(outcome.stdout).toContain("Warning: Ignoring the extended run image in");
    expect(outcome.code).toBe(0);
    const { config } = await inspect(image);
    expect(config.config).toMatchObject({ User: "1000:1000" });
    expect(config.rootfs.diff_ids).toHaveLength(5);
  });

  const blob = (layout: string, { digest }: Descriptor) => join(layout, "blobs/sha256", hexOf(digest));
  const empty: Descriptor = { mediaType: "", digest: digestOf(Buffer.alloc(0)), size: 0 };

  it.each<[string, () => Promise<unknown>, number, RegExp]>([
    [
      "is missing",
      async () => {},
      1,
      /^ERROR: failed to get extended image config: missing extended run image in "\S+\/extended\/run"; run extender/,
    ],
    [
      "is one of two",
      async () => {
        await extend();
        await extend({ files: ["else"] });
      },
      1,
      /config: expected directory "\S+\/extended\/run" to have only 1 item; found 2$/,
    ],
    [
      "has no index",
      async () => rm(join((await extend()).layout, "index.json")),
      1,
      /^ERROR: failed to get extended image config: \S+\/sha256:\w+ holds no image/,
    ],
    [
      "has a named pipe for an index",
      async () => {
        const path = join((await extend()).layout, "index.json");
        await rm(path);
        await mustRun("mkfifo", ["-m", "0666", path]);
      },
      1,
      /^ERROR: failed to get extended image config: \S+\/index.json: not a regular file$/,
    ],
    [
      "lacks a layer",
      async () => {
        const { layout, blobs } = await extend();
        await rm(blob(layout, blobs[0] ?? empty));
      },
      62,
      /^ERROR: failed to export: \S+ does not hold its layer sha256:\w+; run extender again$/,
    ],
    [
      "has a layer of other bytes",
      async () => {
        const { layout, blobs } = await extend({ files: ["unheard-of"] });
        const path = blob(layout, blobs[0] ?? empty);
        const bytes = await readFile(path);
        bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
        await writeFile(path, bytes);
      },
      62,
      /^ERROR: failed to export: .* \S+\/blobs\/sha256\/\w+: expected digest sha256:\w+, found sha256:\w+\]$/,
    ],
    [
      "extends another run image",
      () => extend({ base: [{ ...empty, diffId: empty.digest }] }),
      62,
      /^ERROR: failed to export: \S+ does not extend run image '\S+\/small\/run@sha256:\w+'; run extender again$/,
    ],
  ])("fails when it %s", async (_, prepare, code, message) => {
    await prepare();
    const image = name("none:1");
    const outcome = await exportApp(image);
    expect(outcome.stdout.trimEnd().split("\n").at(-1)).toMatch(message);
    expect(outcome.code).toBe(code);
    await expect(inspect(image)).rejects.toThrow();
  });

  it("works from layout to layout", async () => {
    const layouts = join(runner.dir, "layouts");
    const path = join(layouts, "registry.example.com/run/1");
    await mkdir(path, { recursive: true });
    await copyImage(`docker://${runImage}`, `oci:${path}`, { from: registry });
    await chmod(layouts, 0o777);
    await writeAnalyzed({ reference: `${path}@${base.digest}`, image: path, extend: true });
    const { blobs } = await extend({ config: rebasable("true") });
    const args = exporterArgs("other.example.com/app:1", ["-layout", "-layout-dir", layouts]);
    const outcome = await runner.run("exporter", args, { CNB_EXPERIMENTAL_MODE: "silent" });
    expect(outcome, outcome.stdout).toMatchObject({ code: 0 });
    const app = `oci:${join(layouts, "other.example.com/app/1")}`;
    const { config, manifest } = await inspectImage(app);
    expect(config.config.Labels).toMatchObject({ "io.buildpacks.rebasable": "true" });
    expect(manifest.layers.slice(0, 3)).toEqual([...base.manifest.layers, ...blobs]);
    const root = await unpackImage(app, join(runner.dir, "unpacked-layout"));
    expect(readFileSync(join(root, "opt/installed"), "utf8")).toBe("by an extension\n");
  });
});

describe.runIf(canRun && requireServer("dockerd", "podman")).each(["docker", "podman"] as const)(
  "exporter, of an extended run image in %s",
  (kind) => {
    let daemon: LocalDaemon;

    beforeAll(async () => {
      daemon = await startDaemon(kind);
    });

    afterAll(() => daemon?.stop());

    it.each(["tar", "gzip"] as const)("makes an app image with its config and %s layers", async (blobs) => {
      const archive = join(runner.dir, `${kind}-${blobs}.tar`);
      const from = ["copy", "--quiet", "--insecure-policy", "--src-tls-verify=false", `docker://${runImage}`];
      await mustRun("skopeo", [...from, `docker-archive:${archive}:run:1`]);
      await daemon.run("load", "--quiet", "--input", archive);
      const inspect = async (image: string) => JSON.parse(await daemon.run("image", "inspect", image))[0];
      const { Id: id, RootFS: rootfs }: { Id: string; RootFS: { Layers: string[] } } = await inspect("run:1");
      await writeAnalyzed({ reference: hexOf(id), image: "run:1", extend: true });
      // There was no manifest to take the run image's layers from.
      const named = rootfs.Layers.map((diffId) => ({ mediaType: TAR, digest: diffId, size: 0, diffId }));
      await extend({ base: named, blobs, config: { ...rebasable("true"), User: "1000:2000" } });

      const env = { DOCKER_HOST: `unix://${daemon.socket}` };
      for (const image of ["team/app:1", "team/app:2"]) {
        const outcome = await runner.runAsSelf("exporter", exporterArgs(image, ["-daemon"]), env);
        expect(outcome, outcome.stdout).toMatchObject({ code: 0, stderr: "" });
        const app = await inspect(image);
        expect(app.RootFS.Layers.slice(0, 2)).toEqual(rootfs.Layers);
        expect(app.RootFS.Layers).toHaveLength(6);
        expect(app.Config).toMatchObject({ User: "1000:2000", Labels: { "io.buildpacks.rebasable": "true" } });
        const container = (await daemon.run("create", image)).trim();
        const copied = join(runner.dir, `${kind}-copied`);
        await daemon.run("cp", `${container}:/opt/installed`, copied);
        expect(readFileSync(copied, "utf8")).toBe("by an extension\n");
        await daemon.run("rm", container);
        await writeAnalyzed({ reference: hexOf(id), image: "run:1", extend: true }, hexOf(app.Id));
      }
    });
  },
);

describe.runIf(canRun && requireRoot("restorer with a volume at /kaniko"))("restorer", () => {
  let kaniko: string;
  let buildImage: string;

  beforeAll(async () => {
    buildImage = `${registry.host}/small/build:1`;
    const layout = await mkdtemp(join(tmpdir(), "build-image-"));
    await writeSmallRunImage(layout, "of the build image\n");
    await copyImage(`oci:${layout}`, `docker://${buildImage}`, { to: registry });
    await rm(layout, { recursive: true });
  });

  beforeEach(async () => {
    kaniko = await mkdtemp(join(runner.dir, "kaniko-"));
    await chmod(kaniko, 0o777);
    await writeAnalyzed({ reference: "of-the-analyzer", image: runImage, extend: true });
  });

  const restore = (flags: readonly string[] = [], env: Record<string, string> = {}) =>
    runner.runWithKaniko(kaniko, "restorer", ["-layers", runner.layersDir, ...NO_IMAGES, ...flags], env);

  const analyzed = () => parseAnalyzed(readFileSync(join(runner.layersDir, "analyzed.toml"), "utf8"), "analyzed.toml");

  /** The blobs of all copies, by the copies' digests. */
  const copies = () =>
    Object.fromEntries(
      readdirSync(join(kaniko, "cache/base")).map((copy) => [
        copy,
        readdirSync(join(kaniko, "cache/base", copy, "blobs/sha256")).map((hex) => `sha256:${hex}`),
      ]),
    );

  const copyOf = ({ digest, manifest }: InspectedImage) => ({
    [digest]: expect.toSatisfy((blobs: string[]) => `${blobs.sort()}` === `${[digest, manifest.config.digest].sort()}`),
  });

  it.each(["0.12", "0.13", "0.15"])("copies manifests and configs at Platform API %s", async (api) => {
    const flags = ["-build-image", buildImage, "-log-level", "debug"];
    const outcome = await restore(flags, { CNB_PLATFORM_API: api, CNB_RUN_PATH: join(runner.dir, "run.toml") });
    expect(outcome, outcome.stdout).toMatchObject({ code: 0, stderr: "" });
    const build = await inspectImage(`docker://${buildImage}`, registry);
    expect(copies()).toEqual({ ...copyOf(base), ...copyOf(build) });
    const buildReference = `${registry.host}/small/build@${build.digest}`;
    expect(analyzed()).toMatchObject({
      buildImage: { reference: buildReference },
      runImage: {
        reference: referenceOf(base),
        image: runImage,
        extend: true,
        target: { os: "linux", arch: "amd64", distro: { name: "small", version: "1" } },
      },
    });
    for (const line of [
      `Pulling builder image metadata for ${buildImage}...`,
      `Saving image metadata to /kaniko/cache/base/${build.digest}...`,
      `Adding build image info to analyzed metadata: \n{"Reference":"${buildReference}"}`,
      `Pulling run image metadata for ${runImage}...`,
      `Saving image metadata to /kaniko/cache/base/${base.digest}...`,
      "Run image info in analyzed metadata was: ",
    ]) {
      expect(outcome.stdout).toContain(`${line}\n`);
    }
  });

  it.each(["0.10", "0.11"])("finds a run image that only has a reference at Platform API %s", async (api) => {
    await writeAnalyzed({ reference: referenceOf(base), extend: false });
    await runner.write("layers/group.toml", '[[group-extensions]]\nid = "x"\nversion = "1"\napi = "0.10"\n');
    const outcome = await restore([], { CNB_PLATFORM_API: api });
    expect(outcome, outcome.stdout).toMatchObject({ code: 0, stderr: "" });
    expect(analyzed().runImage?.reference).toBe(referenceOf(base));
  });

  it("fetches nothing but the manifest of an image that it has copied, unless the copy is damaged", async () => {
    expect(await restore()).toMatchObject({ code: 0 });
    let mark = registry.log().length;
    expect(await restore()).toMatchObject({ code: 0 });
    expect(requestsSince(mark).filter((request) => request.includes("/small/"))).toEqual([
      "GET /v2/small/run/manifests/1 200",
    ]);
    const config = join(kaniko, "cache/base", base.digest, "blobs/sha256", hexOf(base.manifest.config.digest));
    await writeFile(config, "{}");
    mark = registry.log().length;
    expect(await restore()).toMatchObject({ code: 0 });
    expect(requestsSince(mark)).toContain(`GET /v2/small/run/blobs/${base.manifest.config.digest} 200`);
    expect(copies()).toEqual(copyOf(base));
    expect(digestOf(readFileSync(config))).toBe(base.manifest.config.digest);
  });

  it("asks the registry with -daemon, too", async () => {
    const outcome = await restore(["-daemon"], { DOCKER_HOST: "tcp://127.0.0.1:1" });
    expect(outcome, outcome.stdout).toMatchObject({ code: 0 });
    expect(copies()).toEqual(copyOf(base));
    expect(analyzed().runImage?.reference).toBe(referenceOf(base));
  });

  it("uses the registry's credentials with -daemon, too", async () => {
    const secured = await startRegistry({ auth: "basic" });
    try {
      const image = await pushSmallRunImage(secured, "first\n");
      await writeAnalyzed({ reference: "id", image, extend: true });
      const env = { DOCKER_HOST: "tcp://127.0.0.1:1", CNB_REGISTRY_AUTH: secured.registryAuth() };
      const outcome = await restore(["-daemon"], env);
      expect(outcome, outcome.stdout).toMatchObject({ code: 0 });
      expect(copies()).toEqual(copyOf(base));
    } finally {
      await secured.stop();
    }
  });

  it("takes the run image from the layouts with -layout", async () => {
    const layouts = join(runner.dir, "run-layouts");
    const path = join(layouts, "registry.example.com/run/1");
    await mkdir(path, { recursive: true });
    await copyImage(`docker://${runImage}`, `oci:${path}`, { from: registry });
    await writeAnalyzed({ reference: "registry.example.com/run:1", image: "registry.example.com/run:1", extend: true });
    const flags = ["-layout", "-layout-dir", layouts, "-build-image", buildImage];
    const outcome = await restore(flags, { CNB_EXPERIMENTAL_MODE: "silent" });
    expect(outcome, outcome.stdout).toMatchObject({ code: 0 });
    const build = await inspectImage(`docker://${buildImage}`, registry);
    expect(copies()).toEqual({ ...copyOf(base), ...copyOf(build) });
    expect(analyzed().runImage).toMatchObject({ reference: `${path}@${base.digest}`, target: { os: "linux" } });
  });

  it("copies no run image that nobody extends, nor any before Platform API 0.12", async () => {
    expect(await restore([], { CNB_PLATFORM_API: "0.11" })).toMatchObject({ code: 0 });
    await writeAnalyzed({ reference: "of-the-analyzer", image: runImage, extend: false });
    expect(await restore()).toMatchObject({ code: 0 });
    expect(existsSync(join(kaniko, "cache"))).toBe(false);
    expect(analyzed().runImage).toMatchObject({ reference: referenceOf(base), target: { os: "linux" } });
  });

  it("says what is missing", async () => {
    const noBuildImage = await restore(["-build-image", `${buildImage}-gone`]);
    expect(noBuildImage.stdout).toContain(
      `ERROR: failed to pull builder image ${buildImage}-gone: failed to get remote image: there is none`,
    );
    expect(noBuildImage.code).toBe(1);
    await writeAnalyzed({ reference: "gone", image: `${runImage}-gone`, extend: true });
    const noRunImage = await restore();
    expect(noRunImage.stdout).toContain(`ERROR: failed to pull run image ${runImage}-gone: failed to get remote image`);
    expect(noRunImage.code).toBe(1);
    expect(copies()).toEqual({});
  });

  it("says that there is no volume at /kaniko", async () => {
    await writeAnalyzed({ reference: "of-the-analyzer", image: runImage, extend: true });
    const args = ["-layers", runner.layersDir, ...NO_IMAGES];
    const outcome = await runner.runWithKaniko(undefined, "restorer", args);
    expect(outcome.stdout).toMatch(
      /^ERROR: failed to pull run image \S+: failed to create cache directory: mkdir \/kaniko\S*: /m,
    );
    expect(outcome.code).toBe(1);
  });
});
