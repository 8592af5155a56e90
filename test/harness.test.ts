import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Registry, type RegistryOptions, startRegistry } from "./harness/registry.ts";
import { requireServer } from "./harness/require-server.ts";
import { writeScratchImage } from "./harness/scratch-image.ts";
import { copyImage, inspectImage } from "./harness/skopeo.ts";
import { unpackImage } from "./harness/umoci.ts";

const registries: [string, RegistryOptions][] = [
  ["plain", {}],
  ["TLS and a password", { tls: true, auth: "basic" }],
  ["tokens", { auth: "token" }],
  ["TLS, tokens and anonymous reading", { tls: true, auth: "token", anonymous: "pull" }],
];

describe.runIf(requireServer("docker-registry", "openssl", "skopeo", "umoci"))("the registries of the harness", () => {
  let directory: string;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "harness-"));
    await mkdir(join(directory, "content/etc"), { recursive: true });
    await writeFile(join(directory, "content/etc/greeting"), "hello\n");
    await writeScratchImage(join(directory, "image"), { layers: [join(directory, "content")] });
  });

  afterAll(() => rm(directory, { recursive: true, force: true }));

  it.each(registries)("%s: an image that was pushed comes back unchanged", async (name, options) => {
    const registry: Registry = await startRegistry(options);
    try {
      const pushed = await inspectImage(`oci:${join(directory, "image")}`);
      await copyImage(`oci:${join(directory, "image")}`, `docker://${registry.host}/team/app:1`, { to: registry });
      const pulled = await inspectImage(`docker://${registry.host}/team/app:1`, registry);
      expect(pulled).toEqual(pushed);
      const root = await unpackImage(
        `docker://${registry.host}/team/app:1`,
        join(directory, name.replaceAll(/\W/g, "-")),
        registry,
      );
      expect(await readFile(join(root, "etc/greeting"), "utf8")).toBe("hello\n");

      const stranger = { ...registry, account: undefined };
      const reading = inspectImage(`docker://${registry.host}/team/app:1`, stranger);
      if (registry.account && options.anonymous !== "pull") {
        await expect(reading).rejects.toThrow(/unauthorized|authentication required/);
      } else {
        expect((await reading).digest).toBe(pushed.digest);
      }
    } finally {
      await registry.stop();
    }
    expect(() => process.kill(registry.pid, 0)).toThrow("ESRCH");
  });
});
