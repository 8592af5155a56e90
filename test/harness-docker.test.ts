import { chmod, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { importImage, runContainer, startContainer } from "./harness/containers.ts";
import { type DockerDaemon, startDockerDaemon } from "./harness/docker-daemon.ts";
import { startRegistry } from "./harness/registry.ts";
import { requireServer } from "./harness/require-server.ts";
import { sampleStack } from "./harness/sample-builder.ts";
import { copyImage, inspectImage } from "./harness/skopeo.ts";

describe.runIf(requireServer("dockerd", "docker-registry", "skopeo"))("the Docker daemon of the harness", () => {
  let daemon: DockerDaemon;
  let directory: string;

  beforeAll(async () => {
    daemon = await startDockerDaemon();
    directory = await mkdtemp(join(tmpdir(), "harness-"));
    await chmod(directory, 0o777);
  });

  afterAll(async () => {
    await daemon?.stop();
    await rm(directory, { recursive: true, force: true });
  });

  it("runs a root file system as an unprivileged user with a shared volume", async () => {
    await importImage(daemon, (await sampleStack()).build, "build:1", ["USER 1000:1000"]);
    const outcome = await runContainer(daemon, {
      image: "build:1",
      command: ["bash", "-c", "id -u; node --version; npm --version; echo kept >/shared/file; exit 7"],
      mounts: { "/shared": directory },
      network: "none",
    });
    expect(outcome).toMatchObject({ code: 7, stdout: "1000\nv24.21.0\n11.19.1\n" });
    expect(await readFile(join(directory, "file"), "utf8")).toBe("kept\n");
  });

  it("pulls the run image from a registry and starts it", async () => {
    const registry = await startRegistry();
    try {
      const { run } = await sampleStack();
      await copyImage(`oci:${run}`, `docker://${registry.host}/samples/run:1`, { to: registry });
      await daemon.docker("pull", `${registry.host}/samples/run:1`);
      const container = await startContainer(daemon, {
        image: `${registry.host}/samples/run:1`,
        command: ["sh", "-c", "echo started; sleep 60"],
      });
      await expect.poll(() => container.logs(), { timeout: 10_000 }).toBe("started\n");
      await container.stop();
      expect(await daemon.docker("ps", "--all", "--quiet")).toBe("");
      const { config } = await inspectImage(`oci:${run}`);
      const inspected = await daemon.docker("image", "inspect", `${registry.host}/samples/run:1`);
      expect(JSON.parse(inspected)[0].Config.Labels).toEqual(config.config.Labels);
    } finally {
      await registry.stop();
    }
  });
});
