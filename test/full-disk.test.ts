import { randomBytes } from "node:crypto";
import { readdirSync } from "node:fs";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { PHASE_USER, PhaseRunner } from "./harness/phase-runner.ts";
import { type Registry, startRegistry } from "./harness/registry.ts";
import { requireRoot, requireServer } from "./harness/require-server.ts";
import { mustRun, type Outcome } from "./harness/run.ts";
import { inspectImage } from "./harness/skopeo.ts";
import { pushSmallRunImage, writeSmallRunImage } from "./harness/small-run-image.ts";

const MB = 1 << 20;

describe.runIf(requireServer("docker-registry", "skopeo") && requireRoot("full disks"))("a full disk", () => {
  let runner: PhaseRunner;
  let registry: Registry;
  let runImage: string;

  beforeAll(async () => {
    registry = await startRegistry();
    runImage = await pushSmallRunImage(registry);
    runner = await PhaseRunner.create("creator", "detector");
    // More than any of the disks has, and nothing that could be made smaller.
    await writeFile(join(runner.appDir, "large"), randomBytes(6 * MB));
    await runner.writeBuildpack("test/app", {
      build: 'mkdir -p "$1/layer"; cp large "$1/layer/"; printf "[types]\\ncache = true\\n" >"$1/layer.toml"',
    });
    await runner.writeOrder("test/app");
  });

  beforeEach(() => runner?.reset());

  afterAll(async () => {
    await runner?.remove();
    await registry?.stop();
  });

  const flags = () => [...runner.creatorFlags(), "-no-color"];

  function expectOneLine({ code, stdout, stderr }: Outcome, exitCode: number): void {
    expect(stdout).toMatch(/\nERROR: [^\n]*(no space left on (the disk|device))[^\n]*\n$/);
    expect(stdout.match(/^ERROR: /gm)).toHaveLength(1);
    expect({ code, stderr }).toEqual({ code: exitCode, stderr: "" });
  }

  it("of an OCI layout: no image, and no part of one", async () => {
    const directory = join(runner.dir, "images");
    await mkdir(directory);
    await writeSmallRunImage(join(directory, "registry.example/run/1"));
    await giveToUser(directory);
    const before = readdirSync(directory, { recursive: true, withFileTypes: true }).filter((each) => each.isFile());

    const names = ["-run-image", "registry.example/run:1", "registry.example/app:1"];
    const outcome = await runner.runOnSmallDisk(
      { directory, size: 3 * MB },
      "creator",
      [...flags(), "-layout", "-layout-dir", directory, ...names],
      { CNB_EXPERIMENTAL_MODE: "quiet" },
    );
    expectOneLine(outcome, 62);
    expect(outcome.files).toHaveLength(before.length);
    expect(await runner.leftovers()).toEqual([]);
  });

  it("of a registry: no image", async () => {
    const small = await startRegistry({ diskSize: 3 * MB });
    try {
      const run = await pushSmallRunImage(small);
      const { code, stdout } = await runner.run("creator", [...flags(), "-run-image", run, `${small.host}/app:1`]);
      expect(stdout).toMatch(/\nERROR: failed to export: .*failed to write image to the following tags: [^\n]+\n$/);
      expect(code).toBe(62);
      expect((await fetch(`${small.url}/v2/app/manifests/1`)).status).toBe(404);
    } finally {
      await small.stop();
    }
  });

  it("of the cache: the image comes, with a warning, and the cache holds only what is whole", async () => {
    const image = `${registry.host}/cached:1`;
    const disk = { directory: runner.cacheDir, size: 3 * MB };
    const args = [...flags(), "-run-image", runImage, "-cache-dir", runner.cacheDir, image];
    const { code, stdout, files } = await runner.runOnSmallDisk(disk, "creator", args);
    expect(stdout).toMatch(/^Warning: Failed to cache layer 'test\/app:layer': .*no space left on device$/m);
    expect(code).toBe(0);
    expect(files).toEqual(["./committed/io.buildpacks.lifecycle.cache.metadata"]);
    await inspectImage(`docker://${image}`, registry);
  });

  it("of the layers: no file, and no part of one", async () => {
    await mustRun("fallocate", ["--length", `${MB}`, join(runner.layersDir, "full")]);
    const outcome = await runner.runOnSmallDisk({ directory: runner.layersDir, size: MB }, "detector", [
      ...["-app", runner.appDir, "-buildpacks", runner.buildpacksDir, "-platform", runner.platformDir, "-no-color"],
      ...["-layers", runner.layersDir, "-order", join(runner.dir, "order.toml")],
    ]);
    expectOneLine(outcome, 1);
    expect(outcome.files).toEqual(["./full"]);
    await rm(join(runner.layersDir, "full"));
  });

  const giveToUser = (directory: string) =>
    mustRun("chown", ["--recursive", `${PHASE_USER.uid}:${PHASE_USER.gid}`, directory]);
});
