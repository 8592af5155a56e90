import { chown, cp, mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type BuiltApp, makeBuiltApp } from "./harness/built-app.ts";
import { startDockerDaemon } from "./harness/docker-daemon.ts";
import { PHASE_USER } from "./harness/phase-runner.ts";
import { startRegistry } from "./harness/registry.ts";
import { requireServer } from "./harness/require-server.ts";
import { mustRun, run } from "./harness/run.ts";
import { writeScratchImage } from "./harness/scratch-image.ts";
import { copyImage } from "./harness/skopeo.ts";

/** Bytes of the layer, which does not compress; docs/faults.md has the numbers for 2 GiB. */
const LAYER = Number(process.env.MEMORY_LAYER ?? 400 * 2 ** 20);

/** What an export may take of memory at most, in kB, however large its layers are. */
const LIMIT = 200_000;

const MINUTES = 60_000;

describe("the memory of an export", () => {
  let dir: string;
  let app: BuiltApp;

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), "memory-"));
    await writeScratchImage(join(dir, "run"), { layers: [join(import.meta.dirname, "harness")] });
  });
  afterAll(() => rm(dir, { recursive: true, force: true }));

  async function exportedWith(runImage: string, args: string[], env: Record<string, string> = {}): Promise<number> {
    app = await makeBuiltApp(runImage, { large: LAYER });
    try {
      const peak = join(dir, "peak");
      const command = [join(app.runner.dir, "exporter"), ...app.exportArgs, ...args];
      const started = performance.now();
      const outcome = await run("time", ["--format=%M", `--output=${peak}`, ...command], {
        env: { PATH: process.env.PATH ?? "", CNB_PLATFORM_API: "0.13", CNB_EXPERIMENTAL_MODE: "silent", ...env },
        timeout: 10 * MINUTES,
      });
      expect(outcome.code, outcome.stdout).toBe(0);
      const kilobytes = Number(await readFile(peak, "utf8"));
      const seconds = (performance.now() - started) / 1000;
      process.stdout.write(
        `a layer of ${LAYER / 2 ** 20} MiB: peak of ${(kilobytes / 1000).toFixed(0)} MB, ${seconds.toFixed(1)} s\n`,
      );
      return kilobytes;
    } finally {
      await app.remove();
    }
  }

  it.runIf(requireServer("docker-registry", "skopeo", "time"))(
    "to a registry stays flat",
    { timeout: 20 * MINUTES },
    async () => {
      const registry = await startRegistry();
      try {
        await copyImage(`oci:${join(dir, "run")}`, `docker://${registry.host}/run/image:1`, { to: registry });
        expect(await exportedWith(`${registry.host}/run/image:1`, [`${registry.host}/some/app`])).toBeLessThan(LIMIT);
      } finally {
        await registry.stop();
      }
    },
  );

  it.runIf(requireServer("time"))("to a layout stays flat", { timeout: 20 * MINUTES }, async () => {
    const layouts = join(dir, "layouts");
    const image = join(layouts, "index.docker.io/run/image/latest");
    await mkdir(image, { recursive: true });
    await cp(join(dir, "run"), image, { recursive: true });
    if (process.getuid?.() === 0) {
      await chown(dir, PHASE_USER.uid, PHASE_USER.gid);
      for (const path of ["", "index.docker.io"]) await chown(join(layouts, path), PHASE_USER.uid, PHASE_USER.gid);
    }
    const args = ["-layout", "-layout-dir", layouts, "some/app"];
    expect(await exportedWith("run/image", args)).toBeLessThan(LIMIT);
    await rm(layouts, { recursive: true });
  });

  it.runIf(requireServer("dockerd", "skopeo", "time"))(
    "to a daemon stays flat",
    { timeout: 20 * MINUTES },
    async () => {
      const daemon = await startDockerDaemon();
      try {
        const archive = `docker-archive:${join(dir, "run.tar")}:run/image:1`;
        await mustRun("skopeo", ["copy", "--quiet", "--insecure-policy", `oci:${join(dir, "run")}`, archive]);
        await daemon.docker("load", "--input", join(dir, "run.tar"));
        const env = { DOCKER_HOST: daemon.host };
        expect(await exportedWith("run/image:1", ["-daemon", "some/app"], env)).toBeLessThan(LIMIT);
      } finally {
        await daemon.stop();
      }
    },
  );
});
