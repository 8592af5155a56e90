import { existsSync, readdirSync, readFileSync, readlinkSync, statSync } from "node:fs";
import { chmod, chown, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type Digest, digestHex, digestOf } from "../packages/image/src/index.ts";
import { PHASE_USER, PhaseRunner } from "./harness/phase-runner.ts";
import { type Registry, type RegistryOptions, startRegistry } from "./harness/registry.ts";
import { requireServer } from "./harness/require-server.ts";
import type { Outcome } from "./harness/run.ts";
import { copyImage, type InspectedImage, inspectImage } from "./harness/skopeo.ts";
import { pushSmallRunImage } from "./harness/small-run-image.ts";
import { unpackImage } from "./harness/umoci.ts";

const canRun = requireServer("docker-registry", "skopeo", "umoci", "openssl");

/** A buildpack with a layer of each kind, which says what it finds of the last build's. */
const BUILD = `
for layer in launched cached; do
  [ -e "$1/$layer.toml" ] && echo "$layer has metadata"
  [ -e "$1/$layer/file" ] && echo "$layer has content"
  mkdir -p "$1/$layer"
  echo "content of $layer" >"$1/$layer/file"
done
printf '[types]\\nlaunch = true\\n[metadata]\\nkey = "value"\\n' >"$1/launched.toml"
printf '[types]\\ncache = true\\n' >"$1/cached.toml"
cat >"$1/launch.toml" <<TOML
[[processes]]
type = "web"
command = ["serve", "--port"]
args = ["8080"]
default = true

[[processes]]
type = "worker"
command = ["work"]

[[slices]]
paths = ["assets/*.txt"]

[[slices]]
paths = ["assets", "no-such-file"]

[[labels]]
key = "test.label"
value = "a label"
TOML
`;

let runner: PhaseRunner;

beforeAll(async () => {
  if (!canRun) return;
  runner = await PhaseRunner.create("creator");
  await runner.writeBuildpack("test/app", { build: BUILD });
  await runner.writeOrder("test/app");
  await runner.write("app/main.txt", "main\n");
  await runner.write("app/assets/one.txt", "one\n");
  await runner.write("app/assets/two.bin", "two\n");
});

beforeEach(() => (canRun ? runner.reset() : undefined));

afterAll(() => runner?.remove());

interface Build {
  registry: Registry;
  runImage: string;
  image: string;
  flags?: string[];
  env?: Record<string, string>;
}

/** Runs creator in fresh layers, with the cache of the builds before it in the same test. */
async function create({ registry, runImage, image, flags = [], env = {} }: Build): Promise<Outcome> {
  await runner.resetLayers();
  const all = [...runner.creatorFlags(), "-run-image", runImage, "-no-color", ...flags, image];
  const outcome = await runner.run("creator", all, { CNB_REGISTRY_AUTH: registry.registryAuth(), ...env });
  expect(await runner.leftovers()).toEqual([]);
  return outcome;
}

describe.runIf(canRun)("registries", () => {
  interface Kind {
    options: RegistryOptions;
    /** Where the credentials are. */
    from: "CNB_REGISTRY_AUTH" | "config.json" | "nowhere";
  }
  const kinds: [string, Kind][] = [
    ["plain, open to all", { options: {}, from: "nowhere" }],
    ["with a password", { options: { auth: "basic" }, from: "CNB_REGISTRY_AUTH" }],
    ["with a private authority", { options: { tls: true }, from: "nowhere" }],
    ["with a private authority and a password", { options: { tls: true, auth: "basic" }, from: "CNB_REGISTRY_AUTH" }],
    [
      "with a private authority and Docker's config.json",
      { options: { tls: true, auth: "basic" }, from: "config.json" },
    ],
    ["with tokens", { options: { auth: "token" }, from: "CNB_REGISTRY_AUTH" }],
    ["with tokens and Docker's config.json", { options: { auth: "token" }, from: "config.json" }],
  ];

  it.each(kinds)("%s: the image comes and its layers are reused", async (_name, { options, from }) => {
    const registry = await startRegistry(options);
    try {
      const runImage = await pushSmallRunImage(registry);
      const config = join(runner.dir, "docker-config");
      await registry.writeDockerConfig(config);
      await chmod(join(config, "config.json"), 0o644);
      const env = {
        CNB_REGISTRY_AUTH: from === "CNB_REGISTRY_AUTH" ? registry.registryAuth() : "",
        ...(from === "config.json" ? { DOCKER_CONFIG: config } : {}),
        ...(registry.ca === undefined ? {} : { SSL_CERT_FILE: await copyOf(registry.ca) }),
      };
      const image = `${registry.host}/team/app:1`;
      const first = await create({ registry, runImage, image, env });
      expect(first, first.stdout).toMatchObject({ code: 0, stderr: "" });
      const { digest, config: imageConfig } = await inspectImage(`docker://${image}`, registry);
      expect(imageConfig.config.Entrypoint).toEqual(["/cnb/process/web"]);
      const again = await create({ registry, runImage, image, env });
      expect(again.stdout).toContain("Reused 3/3 app layer(s)\n");
      expect((await inspectImage(`docker://${image}`, registry)).digest).toBe(digest);
    } finally {
      await registry.stop();
    }
  });

  /** The user may not pass through the directory of the registry's own. */
  const copyOf = (file: string) => runner.write("ca.crt", readFileSync(file, "utf8"));
});

describe.runIf(canRun)("creator", () => {
  let registry: Registry;
  let runImage: string;

  beforeAll(async () => {
    registry = await startRegistry();
    runImage = await pushSmallRunImage(registry);
  });

  afterAll(() => registry?.stop());

  const name = (repository: string, tag = "1") => `${registry.host}/${repository}:${tag}`;
  const inspect = (image: string) => inspectImage(`docker://${image}`, registry);

  /** A build that has to succeed. */
  async function built(image: string, flags: string[] = [], env: Record<string, string> = {}): Promise<string> {
    const { code, stdout, stderr } = await create({ registry, runImage, image, flags, env });
    expect({ code, stderr }, stdout).toEqual({ code: 0, stderr: "" });
    return stdout;
  }

  const label = ({ config }: InspectedImage, key: string) =>
    JSON.parse(config.config.Labels?.[`io.buildpacks.${key}`] ?? "");

  it("keeps what the run image says, and adds its own", async () => {
    const image = name("plain");
    await built(image);
    const { config } = await inspect(image);
    expect(config.created).toBe("1980-01-01T00:00:01Z");
    expect(config.config).toMatchObject({
      User: "1000:1000",
      WorkingDir: runner.appDir,
      Env: [
        "PATH=/cnb/process:/cnb/lifecycle:/bin",
        "FROM_RUN_IMAGE=yes",
        `CNB_LAYERS_DIR=${runner.layersDir}`,
        `CNB_APP_DIR=${runner.appDir}`,
        "CNB_PLATFORM_API=0.13",
        "CNB_DEPRECATION_MODE=quiet",
      ],
      Labels: { "io.buildpacks.stack.id": "small", "test.label": "a label" },
    });
    expect(config.history?.map(({ created_by }) => created_by).slice(1)).toEqual([
      "Layer: 'launched', Created by buildpack: test/app@1.0.0",
      "Software Bill-of-Materials",
      "Application Slice: 1",
      "Application Slice: 2",
      "Application Slice: 3",
      "Buildpacks Application Launcher",
      "Buildpacks Launcher Config",
      "Buildpacks Process Types",
    ]);
  });

  it("writes additional tags and report.toml", async () => {
    const image = name("tags");
    const report = join(runner.layersDir, "report.toml");
    const more = [name("tags", "2"), name("other/repository", "3")];
    const output = await built(image, [...more.flatMap((tag) => ["-tag", tag]), "-report", report]);
    const { digest } = await inspect(image);
    for (const tag of more) {
      expect((await inspect(tag)).digest).toBe(digest);
      expect(output).toContain(`      ${tag}\n`);
    }
    const text = readFileSync(report, "utf8");
    expect(text).toContain(`[image]\n  tags = [${[image, ...more].map((tag) => `"${tag}"`).join(", ")}]\n`);
    expect(text).toContain(`digest = "${digest}"\n`);
    expect(text).toMatch(/manifest-size = \d+\n$/);
  });

  it("dates the image with SOURCE_DATE_EPOCH", async () => {
    const image = name("dated");
    await built(image, [], { SOURCE_DATE_EPOCH: "1700000000" });
    const { config } = await inspect(image);
    expect(config.created).toBe("2023-11-14T22:13:20Z");
    expect(config.history?.at(-1)?.created).toBe("2023-11-14T22:13:20Z");
    const undated = await built(image, [], { SOURCE_DATE_EPOCH: "yesterday" });
    expect(undated).toContain("Warning: Ignoring invalid SOURCE_DATE_EPOCH\n");
    expect((await inspect(image)).config.created).toBe("1980-01-01T00:00:01Z");
  });

  it("puts the project's metadata into its label", async () => {
    const metadata = await runner.write(
      "project-metadata.toml",
      '[source]\ntype = "git"\n[source.version]\ncommit = "abc"\n[source.metadata]\nrefs = ["main", "v1"]\n',
    );
    await built(name("project"), ["-project-metadata", metadata]);
    expect(label(await inspect(name("project")), "project.metadata")).toEqual({
      source: { type: "git", version: { commit: "abc" }, metadata: { refs: ["main", "v1"] } },
    });
  });

  it("divides the application into slices, and gives each process a name to be called by", async () => {
    const image = name("slices");
    await built(image);
    const inspected = await inspect(image);
    const { app } = label(inspected, "lifecycle.metadata");
    expect(app).toHaveLength(3);
    const from = inspected.config.rootfs.diff_ids.indexOf(app[0].sha);
    expect(inspected.config.rootfs.diff_ids.slice(from, from + 3)).toEqual(app.map(({ sha }: { sha: string }) => sha));
    const root = await unpackImage(`docker://${image}`, join(runner.dir, "unpacked"), registry);
    expect(readFileSync(join(root, runner.appDir, "assets/one.txt"), "utf8")).toBe("one\n");
    expect(readFileSync(join(root, runner.appDir, "assets/two.bin"), "utf8")).toBe("two\n");
    expect(readFileSync(join(root, runner.layersDir, "test_app/launched/file"), "utf8")).toBe("content of launched\n");
    expect(existsSync(join(root, runner.layersDir, "test_app/cached"))).toBe(false);
    for (const type of ["web", "worker"]) {
      expect(readlinkSync(join(root, "cnb/process", type))).toBe("/cnb/lifecycle/launcher");
    }
  });

  it("starts the image with the process that is asked for", async () => {
    const output = await built(name("process"), ["-process-type", "worker"]);
    expect(output).toContain("Setting default process type 'worker'\n");
    expect((await inspect(name("process"))).config.config.Entrypoint).toEqual(["/cnb/process/worker"]);
  });

  it("refuses a process type that the image has not, and writes neither image nor cache", async () => {
    const image = name("no-process");
    const flags = ["-process-type", "cron", "-cache-dir", runner.cacheDir];
    const { code, stdout } = await create({ registry, runImage, image, flags });
    expect(stdout).toMatch(
      /\nERROR: failed to export: determining entrypoint: tried to set cron to default but it doesn't exist\n$/,
    );
    expect(code).toBe(62);
    expect(await isThere(image)).toBe(false);
    expect(readdirSync(join(runner.cacheDir, "committed"))).toEqual([]);
  });

  it("finishes a cache that is exported in parallel when the image fails", async () => {
    const flags = ["-process-type", "cron", "-cache-dir", runner.cacheDir, "-parallel"];
    const { code } = await create({ registry, runImage, image: name("no-process-either"), flags });
    expect(code).toBe(62);
    expect(readdirSync(join(runner.cacheDir, "committed"))).toContain("io.buildpacks.lifecycle.cache.metadata");
  });

  it("exits with 62 when the report cannot be written", async () => {
    const report = join(runner.dir, "order.toml", "report.toml");
    const { code, stdout } = await create({ registry, runImage, image: name("no-report"), flags: ["-report", report] });
    expect(stdout).toMatch(/\nERROR: failed to write export report: failed to write report file: mkdir .*\n$/);
    expect(code).toBe(62);
  });

  it("goes by what it found out itself, whatever buildpacks make of analyzed.toml", async () => {
    await runner.writeBuildpack("test/forger", { build: 'echo "not TOML" >"$1/../analyzed.toml"' });
    await runner.writeOrder("test/forger");
    try {
      await built(name("forged"));
    } finally {
      await runner.writeOrder("test/app");
    }
  });

  it("lets image extensions take part, and builds as always when they change nothing", async () => {
    const descriptor = '[extension]\nid = "test/extension"\nname = "x"\nversion = "1.0.0"\n';
    await runner.write("extensions/test_extension/1.0.0/extension.toml", `api = "0.12"\n${descriptor}`);
    const order = await runner.write(
      "extensions.toml",
      '[[order]]\n[[order.group]]\nid = "test/app"\nversion = "1.0.0"\n' +
        '[[order-extensions]]\n[[order-extensions.group]]\nid = "test/extension"\nversion = "1.0.0"\n',
    );
    const env = { CNB_EXTENSIONS_DIR: join(runner.dir, "extensions") };
    const image = name("team/extended");
    const output = await built(image, ["-order", order], env);
    expect(output).toContain("===> DETECTING\ntest/extension 1.0.0\n");
    expect(output).not.toContain("EXTENDING");
    const metadata = label(await inspect(image), "build.metadata");
    expect(metadata.extensions).toEqual([{ id: "test/extension", version: "1.0.0" }]);
  });

  it("takes layers from the image that -previous-image names", async () => {
    await built(name("previous"));
    const output = await built(name("next"), ["-previous-image", name("previous")]);
    expect(output).toContain('Restoring metadata for "test/app:launched" from app image\n');
    expect(output).toContain("launched has metadata\n");
    expect(output).toContain("Reusing layer 'test/app:launched'\n");
    expect(output).not.toMatch(/^Adding layer/m);
    expect((await inspect(name("next"))).manifest.layers).toEqual((await inspect(name("previous"))).manifest.layers);
  });

  const cacheFlags = {
    "a cache directory": () => ["-cache-dir", runner.cacheDir],
    "a cache directory, exported in parallel": () => ["-cache-dir", runner.cacheDir, "-parallel"],
    "a cache image": () => ["-cache-image", name("cache")],
  };

  it.each(Object.entries(cacheFlags))("restores cached layers from %s", async (kind, flags) => {
    const image = name(`with-${kind.replaceAll(/[ ,]+/g, "-")}`);
    const first = await built(image, flags());
    expect(first).toContain("Adding cache layer 'test/app:cached'\n");
    expect(first).not.toContain("cached has");
    const second = await built(image, flags());
    expect(second).toContain('Restoring data for "test/app:cached" from cache\n');
    expect(second).toContain("launched has metadata\ncached has metadata\ncached has content\n");
    expect(second).toContain("Reusing cache layer 'test/app:cached'\n");
  });

  it("builds again what the registry has lost of the previous image", async () => {
    const image = name("lost");
    await built(image);
    const before = await inspect(image);
    for (const { digest } of before.manifest.layers) {
      const lost = await fetch(`${registry.url}/v2/lost/blobs/${digest}`, { method: "DELETE" });
      expect(lost.status).toBe(202);
    }
    const second = await built(image);
    expect(second).toContain(`Ignoring image "${image}" because it was corrupt\n`);
    expect(second).not.toContain("launched has metadata");
    expect(await inspect(image)).toEqual(before);
    expect(await built(image)).toContain("Reusing layer 'test/app:launched'\n");
  });

  it("puts back into a cache image what its registry has lost", async () => {
    const flags = ["-cache-image", name("lossy-cache")];
    await built(name("lossy"), flags);
    const { manifest } = await inspectImage(`docker://${name("lossy-cache")}`, registry);
    for (const { digest } of manifest.layers) {
      const lost = await fetch(`${registry.url}/v2/lossy-cache/blobs/${digest}`, { method: "DELETE" });
      expect(lost.status).toBe(202);
    }
    const second = await built(name("lossy"), flags);
    expect(second).toContain("Skipping restore for layer test/app:cached: failed to find cache layer");
    expect(second).not.toContain("cached has content");
    const third = await built(name("lossy"), flags);
    expect(third).toContain("cached has content\n");
    expect(third).not.toContain("Skipping");
  });

  it("mends what was damaged in a layout since the last build", async () => {
    const layouts = join(runner.cacheDir, "layouts");
    await mkdir(join(layouts, "registry.example/run"), { recursive: true });
    await copyImage(`docker://${runImage}`, `oci:${layouts}/registry.example/run/1`, { from: registry });
    if (process.getuid?.() === 0) await chown(layouts, PHASE_USER.uid, PHASE_USER.gid);
    if (process.getuid?.() === 0) await chown(join(layouts, "registry.example"), PHASE_USER.uid, PHASE_USER.gid);
    const build = async () => {
      const flags = ["-layout", "-layout-dir", layouts, "-run-image", "registry.example/run:1"];
      await built("registry.example/app:1", flags, { CNB_EXPERIMENTAL_MODE: "quiet" });
    };
    const blobs = join(layouts, "registry.example/app/1/blobs/sha256");
    const contents = () => readdirSync(blobs).map((digest) => [digest, digestOf(readFileSync(join(blobs, digest)))]);
    await build();
    const whole = contents();
    const { manifests } = JSON.parse(readFileSync(join(blobs, "../../index.json"), "utf8"));
    const manifest = JSON.parse(readFileSync(join(blobs, digestHex(manifests[0].digest)), "utf8"));
    const damage = async (layers: { digest: Digest; size: number }[]) => {
      for (const { digest, size } of layers) await writeFile(join(blobs, digestHex(digest)), Buffer.alloc(size));
      expect(contents()).not.toEqual(whole);
    };
    const isSbom = ({ digest }: { digest: Digest }) =>
      gunzipSync(readFileSync(join(blobs, digestHex(digest)))).includes("/sbom/launch");
    await damage(manifest.layers.filter((layer: { digest: Digest }) => !isSbom(layer)));
    await build();
    expect(contents()).toEqual(whole);
    await damage(manifest.layers);
    await build();
    expect(contents()).toEqual(whole);
  });

  it.each(["0.9", "0.13"])("restores nothing with -skip-restore, at Platform API %s", async (api) => {
    const image = name("skipped", api);
    const flags = ["-cache-dir", runner.cacheDir];
    const env: Record<string, string> = { CNB_PLATFORM_API: api };
    if (api === "0.9") env.CNB_STACK_PATH = await stackToml();
    await built(image, flags, env);
    const output = await built(image, [...flags, "-skip-restore"], env);
    expect(output).not.toMatch(/^(launched|cached) has/m);
    expect(output.includes("===> RESTORING\n")).toBe(api !== "0.9");
    expect(output).toContain("Reusing layer 'test/app:launched'\n");
  });

  const stackToml = () => runner.write("stack.toml", `[run-image]\nimage = "${runImage}"\n`);

  it.runIf(process.getuid?.() === 0)("started as root, gives the volumes to the build's user", async () => {
    for (const directory of [runner.layersDir, runner.cacheDir]) await chown(directory, 0, 0);
    const args = [...runner.creatorFlags(), "-run-image", runImage, "-cache-dir", runner.cacheDir, name("as-root")];
    const { code, stdout } = await runner.runAsSelf("creator", args);
    expect(code, stdout).toBe(0);
    for (const directory of [runner.layersDir, runner.cacheDir]) {
      for (const entry of [".", ...readdirSync(directory, { recursive: true, encoding: "utf8" })]) {
        const { uid, gid } = statSync(join(directory, entry));
        expect({ entry, uid, gid }).toEqual({ entry, ...PHASE_USER });
      }
    }
  });

  it("prefers the run image's mirror that is in the image's own registry", async () => {
    const near = await startRegistry();
    try {
      const mirror = await pushSmallRunImage(near);
      const run = await runner.write("run.toml", `[[images]]\nimage = "${runImage}"\nmirrors = ["${mirror}"]\n`);
      const image = `${near.host}/mirrored:1`;
      await built(image, ["-run-image", "", "-run", run]);
      const inspected = await inspectImage(`docker://${image}`, near);
      const { runImage: used } = label(inspected, "lifecycle.metadata");
      expect(used).toMatchObject({ image: runImage, mirrors: [mirror] });
      expect(used.reference).toMatch(new RegExp(`^${near.host}/small/run@sha256:`));
    } finally {
      await near.stop();
    }
  });

  it("gives buildpacks the platform's variables and a clean environment", async () => {
    await runner.writeBuildpack("test/env", { build: 'env | sort | sed "s/^/has /"' });
    await runner.writeOrder("test/env");
    await mkdir(join(runner.platformDir, "env"), { recursive: true });
    await runner.write("platform/env/FROM_PLATFORM", "yes");
    try {
      const output = await built(name("environment"), [], { CNB_STACK_ID: "small", SECRET: "no", http_proxy: "" });
      const names = [...output.matchAll(/^has (\w+)=/gm)].map(([, each]) => each);
      expect(names).toContain("FROM_PLATFORM");
      expect(names).toContain("CNB_TARGET_OS");
      expect(names).not.toContain("SECRET");
      expect(names).not.toContain("CNB_REGISTRY_AUTH");
      expect(output).toContain("has CNB_TARGET_DISTRO_NAME=small\n");
    } finally {
      await runner.writeOrder("test/app");
    }
  });

  async function isThere(image: string): Promise<boolean> {
    const [repository, tag] = image.slice(registry.host.length + 1).split(":");
    const response = await fetch(`${registry.url}/v2/${repository}/manifests/${tag}`, { method: "HEAD" });
    return response.ok;
  }
});
