import { chmodSync, chownSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openExtendCache } from "./extend-cache.ts";

describe("the cache of what extensions did", () => {
  let directory: string;
  let warnings: string[];

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "extend-cache-"));
    warnings = [];
  });

  afterEach(() => rmSync(directory, { recursive: true }));

  /** Opens and closes the cache; how many of its directories are kept. */
  async function open(): Promise<void> {
    const places = { kept: directory, work: directory, timeToLive: 60 };
    const cache = await openExtendCache(places, { warn: (line) => warnings.push(line) });
    expect(statSync(cache.mountCaches).mode & 0o777).toBe(0o700);
    expect(statSync(cache.workDirectory).mode & 0o777).toBe(0o700);
    cache.close();
    expect(readdirSync(directory)).toEqual(["cache"]);
  }

  it("is private, and kept", async () => {
    await open();
    chmodSync(join(directory, "cache/layers"), 0o755);
    await open();
    expect(warnings).toEqual([]);
    for (const name of ["layers", "mounts"]) expect(statSync(join(directory, "cache", name)).mode & 0o777).toBe(0o700);
  });

  it("is not taken if others can write to it, or it is somewhere else", async () => {
    await open();
    chmodSync(join(directory, "cache/layers"), 0o770);
    rmSync(join(directory, "cache/mounts"), { recursive: true });
    mkdirSync(join(directory, "cache/elsewhere"), { mode: 0o700 });
    symlinkSync("elsewhere", join(directory, "cache/mounts"));
    await open();
    expect(warnings).toEqual([
      `Not using the cache at ${directory}/cache/layers: others can write to it; remove it to have a new one`,
      expect.stringMatching(/^Not using the cache at .*\/cache\/mounts: .*; remove it to have a new one$/),
    ]);
  });

  it.skipIf(process.getuid?.() !== 0)("is not taken if it belongs to somebody else", async () => {
    await open();
    chownSync(join(directory, "cache/layers"), 1000, 1000);
    await open();
    expect(warnings).toEqual([expect.stringContaining("it belongs to user 1000")]);
  });
});
