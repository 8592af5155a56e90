import { mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { entryOf, inspect, type TarEntry, toBytePath } from "@lifecycle/layers";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { CacheWriteError, LayerCache } from "./layer-cache.ts";

const twoHoursAgo = Date.now() / 1000 - 7200;

describe("the cache of layers", () => {
  let directory: string;

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "layer-cache-"));
    writeFileSync(join(directory, "file"), "content");
  });

  afterEach(() => rmSync(directory, { recursive: true }));

  function entries(): TarEntry[] {
    const made = entryOf(inspect(toBytePath(join(directory, "file"))));
    return made === undefined ? [] : [made];
  }

  const open = (timeToLive = 60) => new LayerCache(join(directory, "cache"), timeToLive);

  it("gives back a layer by its key, and whether there was none", async () => {
    const cache = open();
    const layer = await cache.keep(entries());
    await cache.remember("one", { layer });
    await cache.remember("none", { layer: await cache.keep([]) });
    expect(await open().find("one")).toEqual({ layer });
    expect(await open().find("none")).toEqual({ layer: undefined });
    expect(await open().find("other")).toBeUndefined();
  });

  it("gives the same layer for the same entries", async () => {
    expect(await open().keep(entries())).toEqual(await open().keep(entries()));
    expect(readdirSync(join(directory, "cache/blobs/sha256"))).toHaveLength(1);
  });

  it("gives back nothing that is too old, damaged or gone", async () => {
    const cache = open();
    const layer = await cache.keep(entries());
    await cache.remember("one", { layer });
    expect(await open(0).find("one")).toBeUndefined();
    writeFileSync(layer?.path ?? "", "damaged");
    expect(await open().find("one")).toBeUndefined();
    rmSync(layer?.path ?? "");
    expect(await open().find("one")).toBeUndefined();
    writeFileSync(join(directory, "cache/steps/one.json"), '{"created":1e15,"layer":{"digest":"../../x"}}');
    expect(await open().find("one")).toBeUndefined();
  });

  it("deletes what is too old and no longer needed, but nothing that another process may be about to use", async () => {
    const cache = open();
    await cache.remember("one", { layer: await cache.keep(entries()) });
    writeFileSync(join(directory, "file"), "other");
    await cache.keep(entries());
    const blobs = join(directory, "cache/blobs/sha256");
    await open(0).prune();
    expect(readdirSync(blobs)).toHaveLength(2);
    for (const path of [blobs, join(directory, "cache/steps")]) {
      for (const name of readdirSync(path)) utimesSync(join(path, name), twoHoursAgo, twoHoursAgo);
    }
    await cache.prune();
    expect(readdirSync(blobs)).toHaveLength(1);
    expect(await open().find("one")).toBeDefined();
    await open(0).prune();
    expect(readdirSync(blobs)).toEqual([]);
    expect(readdirSync(join(directory, "cache/steps"))).toEqual([]);
  });

  it("says where it cannot write, and leaves nothing half written", async () => {
    const cache = open();
    const layer = await cache.keep(entries());
    mkdirSync(join(directory, "cache/steps/one.json"), { recursive: true });
    const remembering = cache.remember("one", { layer });
    await expect(remembering).rejects.toThrow(`layers cannot be written to ${join(directory, "cache")}: EISDIR`);
    expect(readdirSync(join(directory, "cache/steps"))).toEqual(["one.json"]);
    rmSync(join(directory, "cache/blobs"), { recursive: true });
    writeFileSync(join(directory, "cache/blobs"), "");
    await expect(cache.keep(entries())).rejects.toThrow(CacheWriteError);
  });

  it("says of a layer that was damaged since that it is", async () => {
    const layer = await open().keep(entries());
    writeFileSync(layer?.path ?? "", "damaged");
    const read = async () => {
      for await (const _ of layer?.compressed() ?? []);
    };
    await expect(read()).rejects.toThrow(
      /blobs\/sha256\/[0-9a-f]{64}: expected [0-9]+ bytes of sha256:[0-9a-f]{64}, found 7/,
    );
  });
});
