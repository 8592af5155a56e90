import { createHash } from "node:crypto";
import { once } from "node:events";
import { chown, cp, mkdir, mkdtemp, readdir, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type BuiltApp, makeBuiltApp, seededRandom } from "./harness/built-app.ts";
import { PHASE_USER, PhaseRunner } from "./harness/phase-runner.ts";
import { type Registry, startRegistry } from "./harness/registry.ts";
import { requireServer } from "./harness/require-server.ts";
import type { Outcome } from "./harness/run.ts";
import { writeScratchImage } from "./harness/scratch-image.ts";
import { copyImage, inspectImage, type Manifest } from "./harness/skopeo.ts";
import { pushSmallRunImage } from "./harness/small-run-image.ts";
import { readWholeImage } from "./harness/whole-image.ts";

/** How many exports are killed for each target; docs/faults.md has the numbers for 100. */
const KILLS = Number(process.env.KILLS ?? 10);
const SEED = Number(process.env.FAULT_SEED ?? 1);

const LAYERS = { large: 4_000_000, small: 2_000 };

describe.runIf(requireServer("docker-registry", "skopeo"))("an export that is killed", () => {
  let dir: string;
  let app: BuiltApp;
  const random = seededRandom(SEED);
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), "kills-"));
    await writeScratchImage(join(dir, "run"), { layers: [join(import.meta.dirname, "harness")] });
  });
  afterEach(() => app?.remove());
  afterAll(() => rm(dir, { recursive: true, force: true }));

  /** Starts an export and ends it with a signal after some milliseconds. */
  async function endExport(args: string[], env: Record<string, string>, signal: NodeJS.Signals, after: number) {
    const child = app.runner.start("exporter", [...app.exportArgs, ...args], env);
    child.stdout?.resume();
    const gone = once(child, "exit") as Promise<[number | null, NodeJS.Signals | null]>;
    await Promise.race([sleep(after), gone]);
    child.kill(signal);
    const [code, died] = await gone;
    return { code, signal: died };
  }

  async function timedExport(args: string[], env: Record<string, string>): Promise<[Outcome, number]> {
    const started = performance.now();
    const outcome = await app.runner.run("exporter", [...app.exportArgs, ...args], env);
    expect(outcome.code, outcome.stdout).toBe(0);
    return [outcome, performance.now() - started];
  }

  function report(target: string, ends: readonly string[]): void {
    const counts = new Map<string, number>();
    for (const end of ends) counts.set(end, (counts.get(end) ?? 0) + 1);
    const list = [...counts].map(([end, count]) => `${count} ${end}`).sort();
    process.stdout.write(`${ends.length} exports to a ${target} killed: ${list.join(", ")}\n`);
  }

  it(`to a registry at ${KILLS} moments leaves no tag that points at missing blobs`, {
    timeout: KILLS * 20_000,
  }, async () => {
    const registry: Registry = await startRegistry();
    try {
      await copyImage(`oci:${join(dir, "run")}`, `docker://${registry.host}/run/image:1`, { to: registry });
      app = await makeBuiltApp(`${registry.host}/run/image:1`, LAYERS);
      const name = `${registry.host}/some/app:1`;
      let [, duration] = await timedExport([name], {});
      let before = await readWholeImage(registry, "some/app:1");
      const ends: string[] = [];
      for (let i = 0; ends.length < KILLS; i++) {
        await app.change(`version ${i}`);
        const { signal } = await endExport([name], {}, "SIGKILL", random() * duration);
        const after = await readWholeImage(registry, "some/app:1");
        if (signal !== null) ends.push(`with the ${after === before ? "old" : "new"} image`);
        const [{ stdout }, took] = await timedExport([name], {});
        duration = took;
        before = await readWholeImage(registry, "some/app:1");
        expect(stdout).toContain(before);
      }
      await copyImage(`docker://${name}`, `oci:${join(dir, "copy")}`, { from: registry });
      report("registry", ends);
    } finally {
      await registry.stop();
    }
  });

  describe("to a layout", () => {
    let layouts: string;
    let layout: string;
    let args: string[];
    let duration: number;
    const env = { CNB_EXPERIMENTAL_MODE: "silent" };

    async function prepare(): Promise<void> {
      app = await makeBuiltApp("run/image", LAYERS);
      layouts = join(app.runner.dir, "layouts");
      layout = join(layouts, "index.docker.io/some/app/1");
      const run = join(layouts, "index.docker.io/run/image/latest");
      await mkdir(run, { recursive: true });
      await cp(join(dir, "run"), run, { recursive: true });
      if (process.getuid?.() === 0) {
        for (const path of [layouts, join(layouts, "index.docker.io")])
          await chown(path, PHASE_USER.uid, PHASE_USER.gid);
      }
      args = ["-layout", "-layout-dir", layouts, "some/app:1"];
      await timedExport(args, env);
      [, duration] = await timedExport(args, env);
    }

    /** Reads the image as skopeo does, which verifies every blob. */
    async function readLayout(): Promise<string> {
      const copy = await mkdtemp(join(dir, "copy-"));
      await copyImage(`oci:${layout}`, `oci:${copy}`);
      await rm(copy, { recursive: true });
      return (await inspectImage(`oci:${layout}`)).digest;
    }

    /** Every file of the layout, but for those that its image needs. */
    async function leftovers(): Promise<string[]> {
      const { digest, manifest } = await inspectImage(`oci:${layout}`);
      const { config, layers }: Manifest = manifest;
      const needed = [digest, config.digest, ...layers.map((layer) => layer.digest)].map((each) => each.slice(7));
      const names: string[] = [];
      for (const name of await readdir(layout, { recursive: true })) {
        if ((await stat(join(layout, name))).isFile()) names.push(name);
      }
      return names.filter(
        (name) => !needed.includes(name.slice("blobs/sha256/".length)) && !/^(index.json|oci-layout)$/.test(name),
      );
    }

    it(`at ${KILLS} moments leaves it whole, and nothing for ever`, { timeout: KILLS * 20_000 }, async () => {
      await prepare();
      let before = await readLayout();
      const ends: string[] = [];
      let left = 0;
      for (let i = 0; ends.length < KILLS; i++) {
        await app.change(`version ${i}`);
        const { signal } = await endExport(args, env, "SIGKILL", random() * duration);
        const after = await readLayout();
        if (signal !== null) ends.push(`with the ${after === before ? "old" : "new"} image`);
        left += (await leftovers()).length;
        [, duration] = await timedExport(args, env);
        before = await readLayout();
        expect(await leftovers()).toEqual([]);
      }
      report("layout", ends);
      process.stdout.write(`${left} files were left by killed exports, none of them by the exports after them\n`);
    });

    it("stops in order when it is told to: exit code 143, and nothing left behind", { timeout: 120_000 }, async () => {
      await prepare();
      const index = await readFile(join(layout, "index.json"), "utf8");
      let stopped = 0;
      for (let i = 0; i < 8; i++) {
        await app.change(`version ${i}`);
        const { code, signal } = await endExport(args, env, "SIGTERM", (0.3 + 0.1 * i) * duration);
        // Before it has begun, the signal does what it does to every process.
        if (code === 0 || signal !== null) continue;
        stopped++;
        expect(code).toBe(143);
        expect(await leftovers()).toEqual([]);
        if (stopped === 1) expect(await readFile(join(layout, "index.json"), "utf8")).toBe(index);
      }
      expect(stopped).toBeGreaterThan(0);
    });
  });
});

/** One layer that is kept as long as it comes back whole, and one that is another each time. */
const CACHING = `
cd "$1"
mkdir -p kept changing
if [ -e kept/content ]; then sha256sum --check --quiet kept/sum
else head -c 4000000 /dev/urandom >kept/content && sha256sum kept/content >kept/sum; fi
head -c 1000000 /dev/urandom >changing/content
for layer in kept changing; do printf '[types]\\ncache = true\\nlaunch = true\\n' >$layer.toml; done
`;

describe.runIf(requireServer("docker-registry", "skopeo"))("a build that is killed", () => {
  type Cache = "directory" | "image";
  let registry: Registry;
  let runner: PhaseRunner;
  let runImage: string;
  let random: () => number;

  beforeEach(async () => {
    random = seededRandom(SEED);
    registry = await startRegistry();
    runner = await PhaseRunner.create("creator", "analyzer", "detector", "restorer", "builder");
    await runner.writeBuildpack("test/caching", { build: CACHING });
    await runner.writeOrder("test/caching");
    await runner.write("app/file", "the application");
    runImage = await pushSmallRunImage(registry);
  });

  afterEach(async () => {
    await runner?.remove();
    await registry?.stop();
  });

  const image = () => `${registry.host}/some/app:1`;
  const cacheFlags = (cache: Cache) =>
    cache === "directory" ? ["-cache-dir", runner.cacheDir] : ["-cache-image", `${registry.host}/some/cache:1`];
  const cachedLayers = (cache: Cache) =>
    cache === "directory" ? layersOfDirectory(runner.cacheDir) : layersOfImage(registry, "some/cache:1");

  /** Runs an executable that has to succeed, and to take all of its cache; returns the milliseconds. */
  async function timed(name: string, args: readonly string[]): Promise<number> {
    const started = performance.now();
    const outcome = await runner.run(name, args);
    expect(outcome.code, outcome.stdout).toBe(0);
    expect(outcome.stdout).not.toMatch(/Skipping|Failed to|Ignoring/);
    return performance.now() - started;
  }

  /** Says whether it was killed: it may have been faster. */
  async function kill(name: string, args: readonly string[], after: number): Promise<boolean> {
    const child = runner.start(name, args);
    child.stdout?.resume();
    const gone = once(child, "exit");
    await Promise.race([sleep(after), gone]);
    child.kill("SIGKILL");
    const [, signal] = await gone;
    return signal !== null;
  }

  const creatorArgs = (cache: Cache, flags: readonly string[] = []) => [
    ...[...runner.creatorFlags(), "-run-image", runImage],
    ...[...cacheFlags(cache), ...flags, image()],
  ];

  it.each<{ name: string; cache: Cache; flags: string[] }>([
    { name: "its cache afterwards", cache: "directory", flags: [] },
    { name: "its cache at the same time", cache: "directory", flags: ["-parallel"] },
    { name: "a cache image afterwards", cache: "image", flags: [] },
    { name: "a cache image at the same time", cache: "image", flags: ["-parallel"] },
  ])(
    `writing $name, at ${KILLS} moments, leaves image and cache whole`,
    { timeout: KILLS * 20_000 },
    async ({ cache, flags }) => {
      const args = creatorArgs(cache, flags);
      const built = async (): Promise<number> => {
        await runner.resetLayers();
        return timed("creator", args);
      };
      let duration = await built();
      const kept = await cachedLayers(cache);
      let kills = 0;
      while (kills < KILLS) {
        await runner.resetLayers();
        if (await kill("creator", args, random() * duration)) kills++;
        await readWholeImage(registry, "some/app:1");
        // A directory is mended by the next build; nobody mends what a tag points at.
        if (cache === "image") await cachedLayers(cache);
        duration = await built();
        const layers = await cachedLayers(cache);
        expect(layers.filter((layer) => kept.includes(layer))).toHaveLength(1);
      }
    },
  );

  it.each<Cache>(["directory", "image"])(
    `restoring from a cache %s, at ${KILLS} moments, leaves the cache as it was, and layers that can be restored again`,
    { timeout: KILLS * 20_000 },
    async (cache) => {
      const layers = ["-layers", runner.layersDir];
      const user = ["-uid", `${PHASE_USER.uid}`, "-gid", `${PHASE_USER.gid}`];
      const places = ["-app", runner.appDir, "-platform", runner.platformDir, "-buildpacks", runner.buildpacksDir];
      const restorer = [...layers, ...user, ...cacheFlags(cache)];
      const prepare = async () => {
        await runner.resetLayers();
        await timed("analyzer", [...layers, ...user, "-run-image", runImage, image()]);
        await timed("detector", [...layers, ...places, "-order", join(runner.dir, "order.toml")]);
      };
      await timed("creator", creatorArgs(cache));
      const whole = await cachedLayers(cache);
      expect(whole).toHaveLength(2);
      await prepare();
      let duration = await timed("restorer", restorer);
      let kills = 0;
      while (kills < KILLS) {
        await prepare();
        if (await kill("restorer", restorer, random() * duration)) kills++;
        expect(await cachedLayers(cache)).toEqual(whole);
        duration = await timed("restorer", restorer);
        await timed("builder", [...layers, ...places]);
      }
      await runner.resetLayers();
      await timed("creator", creatorArgs(cache));
      expect((await cachedLayers(cache)).filter((layer) => whole.includes(layer))).toHaveLength(1);
    },
  );

  /** The diff IDs of a cache image's layers, once each blob was read and hashed, and found in its metadata. */
  async function layersOfImage(registry: Registry, name: string): Promise<string[]> {
    await readWholeImage(registry, name);
    const { config } = await inspectImage(`docker://${registry.host}/${name}`, registry);
    const metadata = config.config.Labels?.["io.buildpacks.lifecycle.cache.metadata"] ?? "";
    const diffIds = config.rootfs.diff_ids;
    expect(new Set([...metadata.matchAll(/sha256:[0-9a-f]{64}/g)].map(([digest]) => digest))).toEqual(new Set(diffIds));
    return diffIds;
  }

  /** The diff IDs of a cache's layers, once each was read and hashed, and found in its metadata. */
  async function layersOfDirectory(directory: string): Promise<string[]> {
    const committed = join(directory, "committed");
    const names = (await readdir(committed)).filter((name) => name.endsWith(".tar"));
    const metadata = await readFile(join(committed, "io.buildpacks.lifecycle.cache.metadata"), "utf8");
    const hashes: string[] = [];
    for (const name of names) {
      hashes.push(
        `sha256:${createHash("sha256")
          .update(await readFile(join(committed, name)))
          .digest("hex")}`,
      );
    }
    expect(names).toEqual(hashes.map((hash) => `${hash}.tar`));
    expect(new Set([...metadata.matchAll(/sha256:[0-9a-f]{64}/g)].map(([digest]) => digest))).toEqual(new Set(hashes));
    return hashes;
  }
});
