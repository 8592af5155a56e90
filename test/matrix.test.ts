import { readFileSync } from "node:fs";
import { chown, cp, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { parseReport } from "@lifecycle/spec-types";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type DockerDaemon, startDockerDaemon } from "./harness/docker-daemon.ts";
import { PHASE_USER, PhaseRunner } from "./harness/phase-runner.ts";
import { type Podman, startPodman } from "./harness/podman.ts";
import { type Registry, type RegistryOptions, startRegistry } from "./harness/registry.ts";
import { requireServer } from "./harness/require-server.ts";
import { mustRun } from "./harness/run.ts";
import { copyImage, inspectImage } from "./harness/skopeo.ts";
import { pushSmallRunImage, writeSmallRunImage } from "./harness/small-run-image.ts";

/** What somebody who reads an image says about it. */
interface Reading {
  /** Digest of the manifest. */
  digest: string;
  diffIds: string[];
}

/** Something cached that no two builds would make alike, and a layer of the image with the same content. */
const BUILD = `
mkdir -p "$1/cached" "$1/launched"
if [ -e "$1/cached/noise" ]; then echo "cached has content"; else head -c 100000 /dev/urandom >"$1/cached/noise"; fi
cp "$1/cached/noise" "$1/launched/noise"
printf '[types]\\ncache = true\\n' >"$1/cached.toml"
printf '[types]\\nlaunch = true\\n' >"$1/launched.toml"
`;

async function makeRunner(): Promise<PhaseRunner> {
  const runner = await PhaseRunner.create("analyzer", "creator", "rebaser");
  await runner.writeBuildpack("test/app", { build: BUILD });
  await runner.writeOrder("test/app");
  await runner.write("app/version", "1\n");
  return runner;
}

/** Runs creator or rebaser, which have to succeed; returns what was said, and what report.toml says of the image. */
async function succeed(runner: PhaseRunner, name: string, args: readonly string[], env: Record<string, string>) {
  await runner.resetLayers();
  const report = join(runner.layersDir, "report.toml");
  const outcome = await runner.run(name, ["-no-color", "-report", report, ...args], env);
  expect(outcome, outcome.stdout).toMatchObject({ code: 0, stderr: "" });
  expect(await runner.leftovers()).toEqual([]);
  return { stdout: outcome.stdout, ...parseReport(await readFile(report, "utf8"), report).image };
}

function expectAllReused(stdout: string): void {
  expect(stdout).toContain("Reusing layer 'test/app:launched'\n");
  expect(stdout).toContain("Reusing layer 'buildpacksio/lifecycle:launcher'\n");
  expect(stdout).toContain("Reused 1/1 app layer(s)\n");
  expect(stdout).toContain("Reusing cache layer 'test/app:cached'\n");
  expect(stdout).not.toMatch(/^Adding (layer|\d)/m);
}

/** Reads an image with skopeo; its layers have to be those of its run image and those that its own label tells of. */
async function readWithSkopeo(location: string, runImage: string, registry?: Registry): Promise<Reading> {
  const { digest, config } = await inspectImage(location, registry);
  const diffIds = config.rootfs.diff_ids;
  const below = (await inspectImage(runImage, registry)).config.rootfs.diff_ids;
  const label = config.config.Labels?.["io.buildpacks.lifecycle.metadata"] ?? "";
  const own = [...label.matchAll(/"sha":"(sha256:[0-9a-f]{64})"/g)].map(([, sha]) => sha);
  expect(diffIds.slice(0, below.length)).toEqual(below);
  expect(diffIds.slice(below.length).sort()).toEqual(own.sort());
  expect(JSON.parse(label).runImage.topLayer).toBe(below.at(-1));
  return { digest, diffIds };
}

/** Reads and unpacks an image with umoci, which compares each layer with its diff ID. */
async function readWithUmoci(location: string, runner: PhaseRunner, registry?: Registry): Promise<Reading> {
  const dir = await mkdtemp(join(tmpdir(), "matrix-"));
  try {
    const copy = join(dir, "copy");
    await copyImage(location, `oci:${copy}:image`, registry && { from: registry });
    const rootless = process.getuid?.() === 0 ? [] : ["--rootless"];
    await mustRun("umoci", ["unpack", ...rootless, "--image", `${copy}:image`, join(dir, "bundle")]);
    const root = join(dir, "bundle/rootfs");
    expect(readFileSync(join(root, "etc/os-release"), "utf8")).toContain("ID=small");
    expect(readFileSync(join(root, runner.appDir, "version"))).toEqual(readFileSync(join(runner.appDir, "version")));
    const index = JSON.parse(await readFile(join(copy, "index.json"), "utf8"));
    const stat: { history: { diff_id?: string }[] } = JSON.parse(
      await mustRun("umoci", ["stat", "--json", "--image", `${copy}:image`]),
    );
    return { digest: index.manifests[0].digest, diffIds: stat.history.flatMap(({ diff_id }) => diff_id ?? []) };
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

// Stores x what is done. The daemons' part of this table: export and rebuild with a launch cache are in daemon.test.ts,
// rebase is in rebaser.test.ts, each with dockerd and Podman. Further ways to hand over credentials are in
// creator.test.ts, the order and the names of the layers too.
const kinds: [string, RegistryOptions][] = [
  ["plain", {}],
  ["TLS of a private authority", { tls: true }],
  ["htpasswd", { auth: "basic" }],
  ["token server", { auth: "token" }],
];

describe.runIf(requireServer("docker-registry", "dockerd", "podman", "skopeo", "umoci", "openssl"))("registry", () => {
  let docker: DockerDaemon;
  let podman: Podman;

  beforeAll(async () => {
    [docker, podman] = await Promise.all([startDockerDaemon(), startPodman()]);
  });

  afterAll(async () => {
    await docker?.stop();
    await podman?.stop();
  });

  describe.each(kinds)("%s", (_name, options) => {
    let registry: Registry;
    let runner: PhaseRunner;
    let runImage: string;
    let runToml: string;
    let env: Record<string, string>;
    /** The image after the step before. */
    let last: Reading;

    beforeAll(async () => {
      registry = await startRegistry(options);
      runner = await makeRunner();
      runImage = await pushSmallRunImage(registry);
      runToml = await runner.write("run.toml", `[[images]]\nimage = "${runImage}"\n`);
      // Docker takes any certificate of 127.0.0.1; Podman is told the authority.
      await registry.writeDockerConfig(dirname(docker.socket));
      const { ca, certificatesDirectory } = registry;
      if (certificatesDirectory) {
        await cp(certificatesDirectory, join(podman.certificatesDirectory, registry.host), { recursive: true });
      }
      env = {
        CNB_REGISTRY_AUTH: registry.registryAuth(),
        // The user may not pass through the directory of the registry's own.
        ...(ca && { SSL_CERT_FILE: await runner.write("ca.crt", readFileSync(ca, "utf8")) }),
      };
    });

    afterAll(async () => {
      await runner?.remove();
      await registry?.stop();
    });

    const name = (tag: string) => `${registry.host}/team/app:${tag}`;

    const create = (tag: string) => {
      const flags = ["-run", runToml, "-run-image", runImage, "-cache-image", `${registry.host}/team/cache:1`];
      return succeed(runner, "creator", [...runner.creatorFlags(), ...flags, name(tag)], env);
    };

    /** Has everybody read the image; they have to agree with each other, and with report.toml. */
    async function read(tag: string, digest: string | undefined): Promise<Reading> {
      const location = `docker://${name(tag)}`;
      const reading = await readWithSkopeo(location, `docker://${runImage}`, registry);
      expect(reading.digest).toBe(digest);
      expect(await readWithUmoci(location, runner, registry), "umoci").toEqual(reading);
      expect(await readWithDocker(name(tag)), "docker").toEqual(reading);
      expect(await readWithPodman(name(tag)), "podman").toEqual(reading);
      return reading;
    }

    async function readWithDocker(image: string): Promise<Reading> {
      await docker.docker("pull", "--quiet", image);
      const [inspected] = JSON.parse(await docker.docker("image", "inspect", image));
      // Each tag that it has pulled of these layers has a digest of its own.
      const digests: string[] = inspected.RepoDigests.map((each: string) => each.split("@")[1]);
      expect(digests).toHaveLength(1);
      return { digest: digests[0] ?? "", diffIds: inspected.RootFS.Layers };
    }

    async function readWithPodman(image: string): Promise<Reading> {
      const { account, certificatesDirectory } = registry;
      const credentials = account ? ["--creds", `${account.username}:${account.password}`] : [];
      const tls = `--tls-verify=${certificatesDirectory !== undefined}`;
      await podman.podman("pull", "--quiet", tls, ...credentials, image);
      const [inspected] = JSON.parse(await podman.podman("image", "inspect", image));
      return { digest: inspected.Digest, diffIds: inspected.RootFS.Layers };
    }

    // Each goes on from what the one before it left.

    it("export", async () => {
      const { stdout, digest } = await create("1");
      expect(stdout).not.toContain("cached has content");
      last = await read("1", digest);
    });

    it("rebuild", async () => {
      const mark = registry.log().length;
      const { stdout, digest } = await create("1");
      expectAllReused(stdout);
      expect(digest).toBe(last.digest);
      // Uploads are begun to see whether that is allowed, but nothing is sent.
      expect(registry.log().slice(mark)).not.toMatch(/"(PATCH|PUT) \S+\/blobs\//);
      expect(await read("1", digest)).toEqual(last);
    });

    it("restore from a cache image", async () => {
      // It has nothing but the cache: there is no image of that name, and the application is another.
      await runner.write("app/version", "2\n");
      const { stdout, digest } = await create("2");
      expect(stdout).toContain("cached has content\n");
      expect(digest).not.toBe(last.digest);
      const reading = await read("2", digest);
      expect(reading.diffIds.filter((each) => !last.diffIds.includes(each))).toHaveLength(1);
      last = reading;
    });

    it("rebase", async () => {
      await pushSmallRunImage(registry, "patched\n");
      const user = ["-uid", `${PHASE_USER.uid}`, "-gid", `${PHASE_USER.gid}`];
      const { digest } = await succeed(runner, "rebaser", [...user, "-run-image", runImage, name("2")], env);
      const { diffIds } = await read("2", digest);
      expect(diffIds).toHaveLength(last.diffIds.length + 1);
      expect(diffIds).toEqual([last.diffIds[0], diffIds[1], ...last.diffIds.slice(1)]);
    });
  });
});

describe.runIf(requireServer("skopeo", "umoci"))("layout", () => {
  let runner: PhaseRunner;
  let layouts: string;
  let last: Reading;

  beforeAll(async () => {
    runner = await makeRunner();
    layouts = join(runner.dir, "layouts");
    await writeSmallRunImage(join(layouts, "registry.example/small/run/1"));
    if (process.getuid?.() === 0) {
      for (const path of ["", "registry.example"]) await chown(join(layouts, path), PHASE_USER.uid, PHASE_USER.gid);
    }
  });

  afterAll(() => runner?.remove());

  async function create(): Promise<{ stdout: string; reading: Reading }> {
    const flags = ["-layout", "-layout-dir", layouts, "-run-image", "registry.example/small/run:1"];
    const cache = ["-cache-dir", runner.cacheDir];
    const args = [...runner.creatorFlags(), ...flags, ...cache, "registry.example/team/app:1"];
    const { stdout, manifestSize } = await succeed(runner, "creator", args, { CNB_EXPERIMENTAL_MODE: "silent" });
    const at = (path: string) => `oci:${join(layouts, "registry.example", path)}`;
    const reading = await readWithSkopeo(at("team/app/1"), at("small/run/1"));
    // report.toml has no digest for a layout, but the log has, and the manifest's size is in both.
    const [, digest] = /^\*\*\* Images \((\S+)\):$/m.exec(stdout) ?? [];
    expect(digest).toMatch(reading.digest);
    const index = JSON.parse(await readFile(join(layouts, "registry.example/team/app/1/index.json"), "utf8"));
    expect(index.manifests).toMatchObject([{ digest: reading.digest, size: manifestSize }]);
    expect(await readWithUmoci(at("team/app/1"), runner)).toEqual(reading);
    return { stdout, reading };
  }

  it("export", async () => {
    const { stdout, reading } = await create();
    expect(stdout).not.toContain("cached has content");
    last = reading;
  });

  it("rebuild", async () => {
    const { stdout, reading } = await create();
    expectAllReused(stdout);
    expect(reading).toEqual(last);
  });

  it("has a layout directory that only later phases see, as pack mounts it", async () => {
    const flags = ["-layout", "-layout-dir", "/mounted-later", "-run-image", "registry.example/small/run:1"];
    const user = ["-uid", `${PHASE_USER.uid}`, "-gid", `${PHASE_USER.gid}`];
    const args = ["-no-color", "-layers", runner.layersDir, ...user, ...flags, "registry.example/team/app:1"];
    const { code, stdout } = await runner.run("analyzer", args, { CNB_EXPERIMENTAL_MODE: "silent" });
    expect(stdout).toContain('Image with name "/mounted-later/registry.example/team/app/1" not found\n');
    expect(code).toBe(0);
  });

  it("says where a run image has to be that is not there", async () => {
    const flags = ["-layout", "-layout-dir", layouts, "-run-image", "registry.example/none:1"];
    const { code, stdout } = await runner.run("creator", [...runner.creatorFlags(), ...flags, "team/app"], {
      CNB_EXPERIMENTAL_MODE: "silent",
    });
    expect(stdout).toContain(
      `'registry.example/none:1' not found in ${layouts}; copy it there, or name another with -run-image\n`,
    );
    expect(code).toBe(62);
  });
});
