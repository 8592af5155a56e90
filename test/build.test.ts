import { appendFile, cp, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type ContainerOptions, startContainer } from "./harness/containers.ts";
import { type DockerDaemon, startDockerDaemon } from "./harness/docker-daemon.ts";
import { type Registry, startRegistry } from "./harness/registry.ts";
import { requireServer } from "./harness/require-server.ts";
import { mustRun } from "./harness/run.ts";
import {
  type Builder,
  giveToBuildUser,
  makeBuilder,
  makeVolumes,
  SAMPLE_APP,
  sampleStack,
  type Volumes,
} from "./harness/sample-builder.ts";
import { copyImage, type InspectedImage, inspectImage } from "./harness/skopeo.ts";
import { unpackImage } from "./harness/umoci.ts";

const ORDER = ["-order", "/cnb/buildpacks/order.toml"];
const CACHE = ["-cache-dir", "/cache"];

// The tests follow one application through its life; each goes on from what the one before it left.
describe.runIf(requireServer("dockerd", "docker-registry", "skopeo", "umoci"))("the sample application", () => {
  let daemon: DockerDaemon;
  let registry: Registry;
  let builder: Builder;
  /** What builds share, as a platform keeps it from one build to the next: a cache for each image. */
  const caches = new Map<string, Volumes>();

  beforeAll(async () => {
    daemon = await startDockerDaemon();
    registry = await startRegistry({ auth: "basic" });
    builder = await makeBuilder(daemon);
    const { run } = await sampleStack();
    await copyImage(`oci:${run}`, `docker://${registry.host}/samples/run:1`, { to: registry });
  });

  afterAll(async () => {
    for (const volumes of caches.values()) await volumes.remove();
    await builder?.remove();
    await daemon?.stop();
    await registry?.stop();
  });

  const image = (name: string) => `${registry.host}/samples/${name}:1`;
  const inspect = (name: string) => inspectImage(`docker://${image(name)}`, registry);

  async function run(volumes: Volumes, command: string[], options?: Partial<ContainerOptions>): Promise<string> {
    const env = { CNB_PLATFORM_API: "0.13", CNB_REGISTRY_AUTH: registry.registryAuth(), ...options?.env };
    const { code, stdout, stderr } = await builder.run(volumes, command, { ...options, env });
    expect(code, `${command[0]} ended with:\n${stdout}${stderr}`).toBe(0);
    return stdout;
  }

  /** Hands fresh volumes to a build, but for the cache of the image's earlier builds. */
  async function withVolumes<T>(name: string, app: string, build: (volumes: Volumes) => Promise<T>): Promise<T> {
    const volumes = await makeVolumes(app, caches.get(name)?.cache);
    try {
      return await build(volumes);
    } finally {
      if (caches.has(name)) await volumes.remove();
      else caches.set(name, volumes);
    }
  }

  function runPhases(name: string, app = SAMPLE_APP): Promise<string> {
    return withVolumes(name, app, async (volumes) => {
      const outputs = [
        await run(volumes, ["analyzer", "-run-image", image("run"), image(name)]),
        await run(volumes, ["detector", ...ORDER]),
        await run(volumes, ["restorer", ...CACHE]),
        await run(volumes, ["builder"]),
        await run(volumes, ["exporter", ...CACHE, image(name)]),
      ];
      return outputs.join("");
    });
  }

  function runCreator(name: string, options?: Partial<ContainerOptions>): Promise<string> {
    return withVolumes(name, SAMPLE_APP, (volumes) =>
      run(volumes, ["creator", ...ORDER, ...CACHE, "-run-image", image("run"), image(name)], options),
    );
  }

  let first: InspectedImage;

  it("becomes the same image by five phases one by one and by creator", async () => {
    await runPhases("phases");
    await runCreator("creator");
    first = await inspect("phases");
    expect(await inspect("creator")).toEqual(first);
  });

  it("becomes the same image again when nothing changed, with every layer reused; creator may start as root", async () => {
    const phases = await runPhases("phases");
    const creator = await runCreator("creator", { user: "0:0" });
    expect(await inspect("phases")).toEqual(first);
    expect(await inspect("creator")).toEqual(first);
    for (const output of [phases, creator]) {
      expect(output).toContain("Reusing layer 'samples/node-engine:node'\n");
      expect(output).toContain("Reused 1/1 app layer(s)\n");
      expect(output).toContain("Reusing cache layer 'samples/node-engine:node'\n");
      expect(output).not.toMatch(/^Adding layer/m);
    }
  });

  it("gets a new application layer and nothing else new when one line of its source changes", async () => {
    const app = await mkdtemp(join(tmpdir(), "app-"));
    try {
      await cp(SAMPLE_APP, app, { recursive: true });
      await appendFile(join(app, "server.js"), "// one more line\n");
      const output = await runPhases("phases", app);
      expect(output).toContain("Added 1/1 app layer(s)\n");
      expect(output).not.toMatch(/^Adding layer/m);
    } finally {
      await rm(app, { recursive: true, force: true });
    }
    const known = new Set(first.manifest.layers.map(({ digest }) => digest));
    const { manifest } = await inspect("phases");
    expect(manifest.layers).toHaveLength(first.manifest.layers.length);
    expect(manifest.layers.filter(({ digest }) => !known.has(digest))).toHaveLength(1);
  });

  it("answers when a Docker daemon runs it, and shows what the spec asks for", async () => {
    const flags = ["--insecure-policy", "--src-tls-verify=false", `--dest-daemon-host=${daemon.host}`];
    const account = `--src-creds=${registry.account?.username}:${registry.account?.password}`;
    const from = `docker://${image("creator")}`;
    await mustRun("skopeo", ["copy", "--quiet", ...flags, account, from, "docker-daemon:samples/app:1"]);

    const [inspected] = JSON.parse(await daemon.docker("image", "inspect", "samples/app:1"));
    const { Config } = inspected;
    expect(Config).toMatchObject({ Entrypoint: ["/cnb/process/web"], WorkingDir: "/workspace", User: "1000:1000" });
    expect(Config.Cmd ?? []).toEqual([]);
    expect(Config.Env).toEqual([
      "PATH=/cnb/process:/cnb/lifecycle:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
      "CNB_LAYERS_DIR=/layers",
      "CNB_APP_DIR=/workspace",
      "CNB_PLATFORM_API=0.13",
      "CNB_DEPRECATION_MODE=quiet",
    ]);
    const label = (name: string) => JSON.parse(Config.Labels[`io.buildpacks.${name}`]);
    expect(label("build.metadata")).toMatchObject({
      buildpacks: [
        { id: "samples/node-engine", version: "1.0.0" },
        { id: "samples/npm-install", version: "1.0.0" },
        { id: "samples/procfile", version: "1.0.0" },
      ],
      processes: [
        { type: "web", command: ["node"], args: ["server.js"], direct: true, buildpackID: "samples/procfile" },
      ],
    });
    const layers = new Set(first.config.rootfs.diff_ids);
    const metadata = label("lifecycle.metadata");
    const [engine, install] = metadata.buildpacks;
    expect(engine.layers.node).toMatchObject({ launch: true, build: true, cache: true, data: { version: /^24\./ } });
    const named = [metadata.app[0], metadata.sbom, metadata.config, metadata.launcher, metadata["process-types"]];
    for (const { sha } of [...named, engine.layers.node, install.layers.modules]) expect(layers).toContain(sha);
    const runImage = await inspect("run");
    expect(metadata.runImage.reference).toBe(`${registry.host}/samples/run@${runImage.digest}`);
    expect(metadata.runImage.topLayer).toBe(runImage.config.rootfs.diff_ids.at(-1));
    expect(label("project.metadata")).toEqual({});
    expect(Config.Labels["io.buildpacks.base.distro.name"]).toBe("debian");

    const container = await startContainer(daemon, { image: "samples/app:1", env: { PORT: "0" } });
    try {
      const listening = /^listening on port (\d+)$/m;
      await expect.poll(() => container.logs(), { timeout: 20_000 }).toMatch(listening);
      const [, port] = listening.exec(await container.logs()) ?? [];
      const response = await fetch(`http://127.0.0.1:${port}/`);
      expect(response.status).toBe(200);
      expect(await response.text()).toMatch(/^Hello from Express on Node\.js v24\./);
    } finally {
      await container.stop();
    }
  });

  it("is the same in an OCI layout, which umoci unpacks", async () => {
    const volumes = await makeVolumes(SAMPLE_APP, caches.get("creator")?.cache);
    try {
      const layout = join(volumes.work, "layout");
      await cp((await sampleStack()).run, join(layout, "registry.example/samples/run/1"), { recursive: true });
      await giveToBuildUser(layout);
      const flags = ["-run-image", "registry.example/samples/run:1", "-layout", "-layout-dir", "/files/layout"];
      await run(volumes, ["creator", ...ORDER, ...CACHE, ...flags, "registry.example/samples/app:1"], {
        env: { CNB_EXPERIMENTAL_MODE: "quiet" },
      });

      const location = `oci:${join(layout, "registry.example/samples/app/1")}`;
      const { config, manifest } = await inspectImage(location);
      expect(config.rootfs).toEqual(first.config.rootfs);
      expect(manifest.layers.map(({ digest }) => digest)).toEqual(first.manifest.layers.map(({ digest }) => digest));
      const root = await unpackImage(location, join(volumes.work, "unpacked"));
      expect(await readFile(join(root, "workspace/server.js"))).toEqual(await readFile(join(SAMPLE_APP, "server.js")));
      const version = await mustRun("chroot", [root, "/cnb/lifecycle/launcher", "node", "--version"], {
        env: { PATH: process.env.PATH ?? "", CNB_PLATFORM_API: "0.13" },
      });
      expect(version).toMatch(/^v24\./);
    } finally {
      await volumes.remove();
    }
  });
});
