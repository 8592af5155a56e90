import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Downloader, Trust } from "@lifecycle/image";
import { registryIndexPath } from "@lifecycle/spec-types";
import { describe, expect, it } from "vitest";
import { compareVersions, RegistryIndex } from "./registry-index.ts";

describe("a buildpack registry's index", () => {
  it.each([
    ["j", "1/example_j"],
    ["ja", "2/example_ja"],
    ["jav", "3/ja/example_jav"],
    ["java", "ja/va/example_java"],
    ["java-native", "ja/va/example_java-native"],
  ])("has %s at %s", (name, path) => {
    expect(registryIndexPath("example", name)).toBe(path);
  });

  it.each(["", "..", "UPPER", "a/b", "x".repeat(254)])("has nothing called %j", (name) => {
    if (name === "..") expect(registryIndexPath("example", name)).toBe("2/example_..");
    else expect(() => registryIndexPath("example", name)).toThrow(RangeError);
  });

  it("keeps the password of its URL out of what it says of a damaged file", async () => {
    const server = createServer((_, response) => response.end("{")).listen(0, "127.0.0.1");
    await new Promise((resolve) => server.once("listening", resolve));
    const { port } = server.address() as AddressInfo;
    const downloader = new Downloader({ trust: new Trust({}) });
    const base = `http://me:secret@127.0.0.1:${port}`;
    const index = new RegistryIndex({ base, downloader, env: {}, scratch: "", signal: AbortSignal.timeout(60_000) });
    try {
      await expect(index.find("example", "java", "")).rejects.toThrow(
        `http://127.0.0.1:${port}: example/java:1: not JSON`,
      );
    } finally {
      await downloader.close();
      server.close();
    }
  });

  it.each([
    ["says why", 'echo "fatal: cannot access $8" >&2; exit 1', "git: fatal: cannot access https://h.example/x"],
    ["is killed", "kill -9 $$", "Command failed: git clone .* -- https://h.example/x .*"],
  ])("keeps the password of its URL out of what it says when git %s", async (_, script, message) => {
    const dir = mkdtempSync(join(tmpdir(), "index-"));
    writeFileSync(join(dir, "git"), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    const downloader = new Downloader({ trust: new Trust({}) });
    const base = "git+https://me:sec@ret@h.example/x";
    const signal = AbortSignal.timeout(60_000);
    const index = new RegistryIndex({ base, downloader, env: { PATH: dir }, scratch: join(dir, "scratch"), signal });
    try {
      await expect(index.find("example", "java", "")).rejects.toThrow(
        new RegExp(`^buildpack registry git\\+https://h.example/x: ${message}$`),
      );
    } finally {
      await downloader.close();
      rmSync(dir, { recursive: true });
    }
  });

  it("orders versions as semver.org does", () => {
    const ordered = [
      "none",
      "0.9.0",
      "1.0.0-alpha",
      "1.0.0-alpha.1",
      "1.0.0-alpha.beta",
      "1.0.0-beta.2",
      "1.0.0-beta.11",
      "1.0.0",
      "1.2.0",
      "1.10.0",
    ];
    expect([...ordered].reverse().sort(compareVersions)).toEqual(ordered);
  });
});
