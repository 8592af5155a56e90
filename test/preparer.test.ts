import { cp, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { constants, deflateRawSync } from "node:zlib";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { writeBuildpackage, writeBuildpackTo } from "./harness/buildpackage.ts";
import { type ContainerOptions, runContainer } from "./harness/containers.ts";
import { type DockerDaemon, startDockerDaemon } from "./harness/docker-daemon.ts";
import { type FileServer, startFileServer } from "./harness/file-server.ts";
import { PHASE_USER, PhaseRunner } from "./harness/phase-runner.ts";
import { type Registry, startRegistry } from "./harness/registry.ts";
import { requireServer } from "./harness/require-server.ts";
import { mustRun, run } from "./harness/run.ts";
import {
  type Builder,
  giveToBuildUser,
  makeBuilder,
  makeVolumes,
  sampleStack,
  type Volumes,
} from "./harness/sample-builder.ts";
import { copyImage, inspectImage } from "./harness/skopeo.ts";
import { pushSmallRunImage } from "./harness/small-run-image.ts";

const ORDER = ["-order", "/cnb/buildpacks/order.toml"];

/** A bin/build that leaves a variable for the running application. */
const leaves = (name: string, value: string) => `mkdir -p "$1/effects/env.launch"
printf '[types]\\nlaunch = true\\n' >"$1/effects.toml"
printf %s ${value} >"$1/effects/env.launch/${name}"`;

describe.runIf(requireServer("dockerd", "docker-registry", "openssl", "skopeo"))("project.toml in containers", () => {
  let daemon: DockerDaemon;
  let registry: Registry;
  let builder: Builder;
  let server: FileServer;
  let app: string;

  beforeAll(async () => {
    [daemon, registry, server] = await Promise.all([
      startDockerDaemon(),
      startRegistry({ tls: true, auth: "basic" }),
      startFileServer(),
    ]);
    builder = await makeBuilder(daemon);
    const { run } = await sampleStack();
    await copyImage(`oci:${run}`, `docker://${registry.host}/samples/run:1`, { to: registry });
    await pushBuildpackage("packed/composite", [
      { name: "packed/composite@1.0.0", order: ["packed/part@1.0.0"] },
      { name: "packed/part@1.0.0", build: leaves("FROM_PACKAGE", "package") },
    ]);
    const indexed = await pushBuildpackage("indexed", [
      { name: "indexed/buildpack@1.2.0", build: leaves("FROM_INDEX", "index") },
    ]);
    const entry = (version: string, yanked: boolean) =>
      JSON.stringify({ ns: "indexed", name: "buildpack", version, yanked, addr: indexed });
    server.files.set("/index/bu/il/indexed_buildpack", `${entry("1.2.0", false)}\n${entry("1.3.0", true)}\n`);
    server.files.set(
      "/archived.tgz",
      await archive({ name: "archived/buildpack@1.0.0", build: leaves("FROM_ARCHIVE", "archive") }),
    );
    app = await writeApp();
  });

  afterAll(async () => {
    if (app !== undefined) await rm(app, { recursive: true, force: true });
    await builder?.remove();
    await daemon?.stop();
    await registry?.stop();
    await server?.stop();
  });

  async function pushBuildpackage(name: string, buildpacks: Parameters<typeof writeBuildpackage>[1]): Promise<string> {
    const layout = await mkdtemp(join(tmpdir(), "buildpackage-"));
    try {
      await writeBuildpackage(layout, buildpacks);
      await copyImage(`oci:${layout}`, `docker://${registry.host}/${name}:1`, { to: registry });
      const { digest } = await inspectImage(`docker://${registry.host}/${name}:1`, registry);
      return `${registry.host}/${name}@${digest}`;
    } finally {
      await rm(layout, { recursive: true, force: true });
    }
  }

  async function archive(buildpack: Parameters<typeof writeBuildpackTo>[1]): Promise<Buffer> {
    const dir = await mkdtemp(join(tmpdir(), "archived-"));
    try {
      await writeBuildpackTo(join(dir, "bp"), buildpack);
      await mustRun("tar", ["-czf", join(dir, "bp.tgz"), "-C", join(dir, "bp"), "."]);
      return await readFile(join(dir, "bp.tgz"));
    } finally {
      await rm(dir, { recursive: true, force: true });
    }
  }

  /** An application that shows its environment and its files; its project.toml has one of everything. */
  async function writeApp(): Promise<string> {
    const dir = await mkdtemp(join(tmpdir(), "app-"));
    const secret = JSON.parse(registry.registryAuth())[registry.host].replace("Basic ", "");
    // An application cannot know it; the test tells it what to look for, in two halves, so as not to find this file.
    const probe = `wanted='${secret.slice(0, 8)}''${secret.slice(8)}'
found=no
if env | grep -qF "$wanted"; then found=env; fi
for process in /proc/[0-9]*; do
  if tr '\\0' '\\n' 2>/dev/null <"$process/environ" | grep -qF "$wanted"; then found=$process; fi
done
if grep -rqF "$wanted" /layers /platform /cache /tmp 2>/dev/null; then found=files; fi
echo "credentials found: $found"
mkdir -p "$1/effects/env.launch"
printf '[types]\\nlaunch = true\\n' >"$1/effects.toml"
printf %s inline >"$1/effects/env.launch/FROM_INLINE"
printf %s "$BUILD_VALUE" >"$1/effects/env.launch/FROM_BUILD_ENV"
`;
    await writeFile(join(dir, "probe.sh"), probe);
    await writeFile(join(dir, "Procfile"), "web: env; ls -A\n");
    await writeFile(join(dir, "secret.txt"), "secret\n");
    await mkdir(join(dir, "docs"));
    await writeFile(join(dir, "docs/page.md"), "page\n");
    await writeFile(
      join(dir, "project.toml"),
      `[_]
schema-version = "0.3"
id = "com.example.prepared"
version = "1.2.3"
source-url = "https://example.com/source"

[io.buildpacks]
exclude = ["secret.txt", "docs/", "probe.sh"]

[[io.buildpacks.pre.group]]
id = "me/inline"
[io.buildpacks.pre.group.script]
api = "0.10"
shell = "/bin/bash"
inline = "./probe.sh"

[[io.buildpacks.pre.group]]
uri = "${server.url}/archived.tgz"

[[io.buildpacks.post.group]]
uri = "docker://${registry.host}/packed/composite:1"

[[io.buildpacks.post.group]]
uri = "urn:cnb:registry:indexed/buildpack"

[[io.buildpacks.post.group]]
id = "none/such"
exec-env = ["test"]

[[io.buildpacks.build.env]]
name = "BUILD_VALUE"
value = "from project.toml"
`,
    );
    return dir;
  }

  /** Fresh volumes, with a builder's order of the Procfile's buildpack alone. */
  async function withVolumes<T>(source: string, use: (volumes: Volumes) => Promise<T>): Promise<T> {
    const volumes = await makeVolumes(source);
    try {
      const order = '[[order]]\n[[order.group]]\nid = "samples/procfile"\nversion = "1.0.0"\n';
      await writeFile(join(volumes.buildpacks, "order.toml"), order);
      if (registry.ca !== undefined) await cp(registry.ca, join(volumes.work, "ca.crt"));
      await giveToBuildUser(volumes.work);
      return await use(volumes);
    } finally {
      await volumes.remove();
    }
  }

  async function runPhase(
    volumes: Volumes,
    command: string[],
    options: Partial<ContainerOptions> = {},
  ): Promise<string> {
    const { code, stdout, stderr } = await builder.run(volumes, command, {
      ...options,
      env: {
        CNB_PLATFORM_API: "0.13",
        CNB_REGISTRY_AUTH: registry.registryAuth(),
        CNB_BUILDPACK_REGISTRY: `${server.url}/index`,
        SSL_CERT_FILE: "/files/ca.crt",
        ...options.env,
      },
    });
    expect(code, `${command[0]} ended with:\n${stdout}${stderr}`).toBe(0);
    return stdout;
  }

  /** How platforms start what runs buildpacks in a container of its own. */
  const withoutCredentials = { env: { CNB_REGISTRY_AUTH: "" } };

  const image = (name: string) => `${registry.host}/prepared/${name}:1`;

  /** Runs the image as a user would, and returns what the application shows. */
  async function shownBy(name: string): Promise<string> {
    const account = `--src-creds=${registry.account?.username}:${registry.account?.password}`;
    const flags = ["--insecure-policy", "--src-cert-dir", registry.certificatesDirectory ?? "", account];
    const local = `prepared/${name}:1`;
    await mustRun("skopeo", [
      ...["copy", "--quiet", ...flags, `--dest-daemon-host=${daemon.host}`],
      ...[`docker://${image(name)}`, `docker-daemon:${local}`],
    ]);
    const { code, stdout, stderr } = await runContainer(daemon, { image: local });
    expect(code, stdout + stderr).toBe(0);
    return stdout;
  }

  function expectEffects(shown: string, output: string): void {
    for (const effect of ["FROM_INLINE=inline", "FROM_ARCHIVE=archive", "FROM_PACKAGE=package", "FROM_INDEX=index"]) {
      expect(shown).toContain(`${effect}\n`);
    }
    expect(shown).toContain("FROM_BUILD_ENV=from project.toml\n");
    expect(shown).toContain("Procfile\nproject.toml\n");
    expect(shown).not.toMatch(/secret\.txt|docs|probe\.sh/);
    expect(output).toContain("credentials found: no\n");
  }

  it("is applied by preparer, and five phases that know of nothing build with it", async () => {
    await withVolumes(app, async (volumes) => {
      const prepared = await runPhase(volumes, ["preparer", ...ORDER, "-cache-dir", "/cache"]);
      expect(prepared).toContain("Buildpack archived/buildpack@1.0.0 from");
      const runImage = `${registry.host}/samples/run:1`;
      const outputs = [
        await runPhase(volumes, ["analyzer", "-run-image", runImage, image("phases")]),
        await runPhase(volumes, ["detector"], withoutCredentials),
        await runPhase(volumes, ["restorer", "-cache-dir", "/cache"]),
        await runPhase(volumes, ["builder"], withoutCredentials),
        await runPhase(volumes, ["exporter", "-cache-dir", "/cache", image("phases")]),
      ];
      expect(outputs[1]).toMatch(/me\/inline +0\.0\.0\narchived\/buildpack +1\.0\.0\nsamples\/procfile +1\.0\.0\n/);
      expectEffects(await shownBy("phases"), outputs.join(""));
      const { config } = await inspectImage(`docker://${image("phases")}`, registry);
      expect(JSON.parse(config.config.Labels?.["io.buildpacks.project.metadata"] ?? "")).toEqual({
        source: {
          type: "project",
          version: { declared: "1.2.3" },
          metadata: { id: "com.example.prepared", url: "https://example.com/source" },
        },
      });

      const asked = server.requests.length;
      await runPhase(volumes, ["preparer", ...ORDER, "-cache-dir", "/cache"]);
      expect(server.requests.slice(asked)).toContain("/archived.tgz");
      expect(await readdir(join(volumes.cache, "prepare/sha256"))).toHaveLength(4);
    });
  });

  it("is found by phases that are told to prepare, as a platform may tell all its containers", async () => {
    await withVolumes(app, async (volumes) => {
      const env = { CNB_PREPARE: "true" };
      await runPhase(volumes, ["preparer", ...ORDER], { env });
      const detected = await runPhase(volumes, ["detector"], { env: { ...env, CNB_REGISTRY_AUTH: "" } });
      expect(detected).toMatch(/me\/inline +0\.0\.0\narchived\/buildpack +1\.0\.0\nsamples\/procfile +1\.0\.0\n/);
    });
  });

  it("is applied by creator -prepare alone", async () => {
    await withVolumes(app, async (volumes) => {
      const flags = [...ORDER, "-cache-dir", "/cache", "-run-image", `${registry.host}/samples/run:1`];
      const output = await runPhase(volumes, ["creator", "-prepare", ...flags, image("creator")], { user: "0:0" });
      expect(output).toContain("===> PREPARING\n");
      expectEffects(await shownBy("creator"), output);
    });
  });

  it("is not applied by creator as platforms start it, which says so", async () => {
    await withVolumes(app, async (volumes) => {
      const flags = [...ORDER, "-run-image", `${registry.host}/samples/run:1`];
      const output = await runPhase(volumes, ["creator", ...flags, image("unprepared")]);
      expect(output).toContain("The build settings in project.toml are not applied");
      expect(output).not.toContain("PREPARING");
      const shown = await shownBy("unprepared");
      expect(shown).toContain("secret.txt\n");
      expect(shown).not.toContain("FROM_INLINE");
    });
  });

  it("is applied to an application that is a tar, as Epinio gets it, with creator's own flags", async () => {
    const empty = await mkdtemp(join(tmpdir(), "empty-"));
    try {
      await withVolumes(empty, async (volumes) => {
        await mkdir(join(volumes.workspace, "source"));
        await mustRun("tar", ["-cf", join(volumes.workspace, "source/app"), "-C", app, "."]);
        await giveToBuildUser(volumes.workspace);
        const flags = ["-app=/workspace/source/app", "-cache-dir=/cache", "-uid=1000", "-gid=1000", "-layers=/layers"];
        const output = await runPhase(
          volumes,
          ["creator", ...flags, ...ORDER, `-run-image=${registry.host}/samples/run:1`, image("tar")],
          { env: { CNB_PREPARE: "true" } },
        );
        expectEffects(await shownBy("tar"), output);
        expect(await readdir(join(volumes.workspace, "source"))).toEqual(["app"]);
      });
    } finally {
      await rm(empty, { recursive: true, force: true });
    }
  });
});

describe.runIf(requireServer("docker-registry", "skopeo"))("an archive whose project.toml configures the build", () => {
  let runner: PhaseRunner;
  let registry: Registry;
  let runImage: string;

  beforeAll(async () => {
    registry = await startRegistry();
    runImage = await pushSmallRunImage(registry);
    runner = await PhaseRunner.create("creator");
    await runner.writeBuildpack("test/app", {});
    await runner.writeOrder("test/app");
  });

  afterAll(async () => {
    await runner?.remove();
    await registry?.stop();
  });

  it("is built on the run image that it names, not on the builder's", async () => {
    const project = `[_]\nschema-version = "0.2"\n[io.buildpacks.lifecycle]\nrun-image = "${runImage}"\n`;
    await runner.write("source/main", "");
    await runner.write("source/project.toml", project);
    const archive = join(runner.dir, "incoming/app.tgz");
    await mkdir(join(runner.dir, "incoming"));
    await mustRun("tar", ["-czf", archive, "-C", join(runner.dir, "source"), "."]);
    const builders = await runner.write("run.toml", `[[images]]\nimage = "${registry.host}/no/such/image"\n`);
    const flags = ["-prepare", "-app", archive, "-app-out", join(runner.tempDir, "app"), "-run", builders];
    const image = `${registry.host}/archived:1`;
    const { code, stdout } = await runner.run("creator", [...runner.creatorFlags(), ...flags, image]);
    expect(code, stdout).toBe(0);
    expect(stdout).toContain(`Run image ${runImage}\n`);
    const analyzed = await readFile(join(runner.layersDir, "analyzed.toml"), "utf8");
    expect(analyzed).toContain(`image = "${runImage}"`);
  });
});

/** What the preparer may take of memory for an archive, in kB, whatever the archive says. */
const MEMORY_LIMIT = 300_000;

describe.runIf(requireServer("time"))("hostile archives and registries", () => {
  let runner: PhaseRunner;
  let server: FileServer;

  beforeAll(async () => {
    runner = await PhaseRunner.create("preparer");
    await runner.writeOrder("test/passes");
    server = await startFileServer();
  });

  afterAll(async () => {
    await server?.stop();
    await runner?.remove();
  });

  beforeEach(() => runner.reset());

  /** @returns what it says, and what it took: kB of memory, seconds */
  async function prepare(
    ...flags: string[]
  ): Promise<{ code: number | null; output: string; memory: number; seconds: number }> {
    const peak = join(runner.dir, "peak");
    const all = ["-buildpacks", runner.buildpacksDir, "-layers", runner.layersDir, "-platform", runner.platformDir];
    const user = [
      "-uid",
      String(PHASE_USER.uid),
      "-gid",
      String(PHASE_USER.gid),
      "-order",
      join(runner.dir, "order.toml"),
    ];
    const command = [join(runner.dir, "preparer"), ...all, ...user, "-app", runner.appDir, ...flags];
    const started = performance.now();
    const { code, stdout, stderr } = await run("time", ["--quiet", "--format=%M", `--output=${peak}`, ...command], {
      env: { PATH: process.env.PATH ?? "", CNB_PLATFORM_API: "0.13", CNB_BUILDPACK_REGISTRY: `${server.url}/index` },
    });
    const seconds = (performance.now() - started) / 1000;
    return { code, output: stdout + stderr, memory: Number(await readFile(peak, "utf8")), seconds };
  }

  /** Everything in a gzip stream that is made of the same block many times, made without compressing it as often. */
  async function writeRepeated(name: string, first: Buffer, block: Buffer, times: number): Promise<string> {
    const flush = { finishFlush: constants.Z_FULL_FLUSH };
    const head = Buffer.concat([Buffer.from("1f8b0800000000000003", "hex"), deflateRawSync(first, flush)]);
    const compressed = deflateRawSync(block, { ...flush, level: 9 });
    const path = join(runner.dir, name);
    await writeFile(path, Buffer.concat([head, ...Array.from({ length: times }, () => compressed)]));
    return path;
  }

  async function expectRefused(name: string, archive: string, message: string): Promise<void> {
    const out = join(runner.dir, "out");
    await rm(out, { recursive: true, force: true });
    const { code, output, memory, seconds } = await prepare("-app", archive, "-app-out", out);
    const bytes = (await stat(archive)).size;
    process.stdout.write(
      `${name}: ${bytes} bytes, refused in ${seconds.toFixed(1)} s with ${(memory / 1000).toFixed(0)} MB\n`,
    );
    expect(output).toContain(message);
    expect(code).toBe(114);
    expect(memory).toBeLessThan(MEMORY_LIMIT);
    expect(await readdir(out).catch(() => [])).toEqual([]);
    expect(await readdir(runner.layersDir)).toEqual([]);
  }

  it("directories that their owner may not write to are no obstacle", async () => {
    await runner.write("app/project.toml", '[_]\nschema-version = "0.2"\n[io.buildpacks]\nexclude = ["vendor/"]\n');
    await runner.write("app/vendor/module/file", "");
    await runner.write("app/main", "");
    await mustRun("chmod", ["-R", "a-w", join(runner.appDir, "vendor")]);
    if (process.getuid?.() === 0) await mustRun("chown", ["-R", `${PHASE_USER.uid}:${PHASE_USER.gid}`, runner.appDir]);
    const { code, output } = await prepare();
    expect(code, output).toBe(0);
    expect((await readdir(runner.appDir)).sort()).toEqual(["main", "project.toml"]);
    await rm(join(runner.appDir, "project.toml"));
  });

  it("a sparse file of 10 GiB", async () => {
    const file = join(runner.dir, "sparse");
    await mustRun("truncate", ["-s", "10G", file]);
    await mustRun("tar", ["--sparse", "-cf", join(runner.dir, "sparse.tar"), "-C", runner.dir, "sparse"]);
    await rm(file);
    await expectRefused("10 GiB of holes", join(runner.dir, "sparse.tar"), "no entries of type");
  });

  it("10 GiB that inflate behind the archive's end", async () => {
    const archive = await writeRepeated("bomb.tgz", Buffer.alloc(1024), Buffer.alloc(1 << 20), 10_240);
    await expectRefused("10 GiB of zeros", archive, "far more than 4294967296 bytes");
  });

  it("1,000,000 entries", async () => {
    const headers = Array.from({ length: 1000 }, (_, at) => tarHeader(`d/${at}/`));
    const archive = await writeRepeated("entries.tgz", tarHeader("d/"), Buffer.concat(headers), 1000);
    await expectRefused("1,000,000 entries", archive, "more than 250000 entries");
  });

  it("a registry whose layer has other bytes than its digest, or whose index names another buildpack", async () => {
    const layout = await mkdtemp(join(tmpdir(), "lying-"));
    try {
      await writeBuildpackage(layout, [{ name: "other/buildpack@1.0.0", build: "true" }]);
      const index = JSON.parse(await readFile(join(layout, "index.json"), "utf8"));
      const { digest } = index.manifests[0];
      const blob = (name: string) => readFile(join(layout, "blobs", name.replace(":", "/")));
      const manifest = await blob(digest);
      const { config, layers } = JSON.parse(manifest.toString());
      server.files.set("/v2/", "{}");
      server.files.set(`/v2/bp/manifests/${digest}`, manifest);
      server.files.set(`/v2/bp/blobs/${config.digest}`, await blob(config.digest));
      const layer = await blob(layers[0].digest);
      server.files.set(`/v2/bp/blobs/${layers[0].digest}`, layer);
      const address = `${new URL(server.url).host}/bp@${digest}`;
      const entry = JSON.stringify({ ns: "my", name: "buildpack", version: "1.0.0", yanked: false, addr: address });
      server.files.set("/index/bu/il/my_buildpack", entry);
      const project = (text: string) =>
        runner.write("app/project.toml", `[_]\nschema-version = "0.2"\n[[io.buildpacks.group]]\n${text}\n`);

      await project('id = "my/buildpack"');
      const other = await prepare();
      expect(other.output).toContain("holds 'other/buildpack@1.0.0', not 'my/buildpack@1.0.0'");
      expect(other.code).toBe(113);

      server.files.set(`/v2/bp/blobs/${layers[0].digest}`, Buffer.from(layer).reverse());
      await project(`uri = "docker://${address}"`);
      const lying = await prepare();
      expect(lying.output).toContain(`expected digest ${layers[0].digest}`);
      expect(lying.code).toBe(113);
      expect(await readdir(runner.layersDir)).toEqual([]);
    } finally {
      await rm(layout, { recursive: true, force: true });
      await rm(join(runner.appDir, "project.toml"), { force: true });
    }
  });
});

/** The header of a directory. */
function tarHeader(name: string): Buffer {
  const block = Buffer.alloc(512);
  block.write(name, 0, "latin1");
  block.write("0000755\0", 100);
  block.write("        ", 148);
  block.write("5", 156);
  block.write("ustar\x0000", 257);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  return block;
}
