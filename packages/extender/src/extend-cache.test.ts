import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
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

  it("is made anew if others can write to it, or it is somewhere else", async () => {
    await open();
    chmodSync(join(directory, "cache/layers"), 0o770);
    rmSync(join(directory, "cache/mounts"), { recursive: true });
    mkdirSync(join(directory, "cache/elsewhere"), { mode: 0o700 });
    symlinkSync("elsewhere", join(directory, "cache/mounts"));
    writeFileSync(join(directory, "cache/layers/planted"), "");
    writeFileSync(join(directory, "cache/elsewhere/kept"), "");
    await open();
    const removing = (name: string) => `Removing the cache at ${directory}/cache/${name}, which could hold anything`;
    expect(warnings).toEqual([
      `${removing("layers")}: others can write to it; only root's own is kept`,
      `${removing("mounts")}: it is no directory; only root's own is kept`,
    ]);
    expect(readdirSync(join(directory, "cache/layers"))).toEqual([]);
    expect(readdirSync(join(directory, "cache/elsewhere"))).toEqual(["kept"]);
    await open();
    expect(warnings).toHaveLength(2);
  });

  it.skipIf(process.getuid?.() !== 0)("is made anew if it belongs to somebody else", async () => {
    await open();
    for (const name of ["", "cache", "cache/layers", "cache/mounts"]) chownSync(join(directory, name), 1000, 1000);
    await open();
    expect(warnings).toEqual(Array(2).fill(expect.stringContaining("it belongs to user 1000")));
    await open();
    expect(warnings).toHaveLength(2);
    expect(statSync(join(directory, "cache/layers")).uid).toBe(0);
  });

  it("is somewhere else, and lasts as long as the work, where symlinks lead out of the directory it is kept in", async () => {
    mkdirSync(join(directory, "elsewhere"));
    symlinkSync("elsewhere", join(directory, "cache"));
    const places = { kept: directory, work: directory, timeToLive: 60 };
    const cache = await openExtendCache(places, { warn: (line) => warnings.push(line) });
    expect(cache.mountCaches).toBe(join(cache.workDirectory, "mounts"));
    cache.close();
    expect(warnings).toEqual(Array(2).fill(expect.stringMatching(/^Not using the cache at .*: .*not a directory$/)));
    expect(readdirSync(join(directory, "elsewhere"))).toEqual([]);
  });

  it("leaves no work directory behind when the process ends in the middle of it", async () => {
    const places = { kept: undefined, work: directory, timeToLive: 60 };
    const cache = await openExtendCache(places, { warn: () => {} });
    expect(existsSync(cache.workDirectory)).toBe(true);
    const [removeAtExit] = process.listeners("exit").slice(-1);
    removeAtExit?.(0);
    expect(existsSync(cache.workDirectory)).toBe(false);
    cache.close();
  });
});
