import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { CacheMetadata } from "@lifecycle/spec-types";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { CacheDirectory } from "./cache-directory.ts";
import { CacheReadError } from "./errors.ts";
import { LayerFactory } from "./layer-factory.ts";
import type { NewLayer } from "./new-layer.ts";

let directory: string;
let files: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "cache-"));
  files = mkdtempSync(join(tmpdir(), "cached-files-"));
});
afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
  rmSync(files, { recursive: true, force: true });
});

async function layerWith(text: string): Promise<NewLayer> {
  const path = join(files, text);
  mkdirSync(path, { recursive: true });
  writeFileSync(join(path, "file"), text);
  return new LayerFactory({ uid: 1, gid: 1 }).dirLayer(text, path, "test");
}

function metadata(sha: string): CacheMetadata {
  return { sbom: { sha }, buildpacks: [] };
}

/** A cache that holds one layer, committed. */
async function commit(text: string): Promise<NewLayer> {
  const layer = await layerWith(text);
  const cache = CacheDirectory.open(directory);
  await cache.addLayer(layer);
  await cache.setMetadata(metadata(layer.diffId));
  await cache.commit();
  await cache.close();
  return layer;
}

async function read(stream: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}

describe("cache directory", () => {
  it("gives back what was committed, in the files that the reference uses", async () => {
    const layer = await commit("one");
    expect(readdirSync(directory).sort()).toEqual(["committed", "staging"]);
    expect(readdirSync(join(directory, "committed")).sort()).toEqual([
      "io.buildpacks.lifecycle.cache.metadata",
      `${layer.diffId}.tar`,
    ]);
    expect(readdirSync(join(directory, "staging"))).toEqual([]);
    const text = readFileSync(join(directory, "committed/io.buildpacks.lifecycle.cache.metadata"), "utf8");
    expect(text).toBe(`{"sbom":{"sha":"${layer.diffId}"},"buildpacks":[]}\n`);

    const cache = CacheDirectory.open(directory);
    expect(await cache.metadata()).toEqual(metadata(layer.diffId));
    expect(await read(cache.retrieveLayer(layer.diffId))).toEqual(await read(layer.uncompressed()));
    await cache.verifyLayer(layer.diffId);
  });

  it("holds only what the last commit added or reused", async () => {
    const first = await commit("one");
    const cache = CacheDirectory.open(directory);
    const inode = statSync(join(directory, "committed", `${first.diffId}.tar`)).ino;
    await cache.reuseLayer(first.diffId);
    const second = await layerWith("two");
    await cache.addLayer(second);
    await cache.setMetadata(metadata(""));
    await cache.commit();
    expect(statSync(join(directory, "committed", `${first.diffId}.tar`)).ino).toBe(inode);
    await expect(cache.addLayer(second)).rejects.toThrow("cache cannot be modified after commit");

    await commit("three");
    const last = CacheDirectory.open(directory);
    await expect(last.verifyLayer(first.diffId)).rejects.toThrow(
      `failed to find cache layer with SHA '${first.diffId}'`,
    );
  });

  it("is as it was when a build stops before its commit", async () => {
    const layer = await commit("one");
    const stopped = CacheDirectory.open(directory);
    await stopped.addLayer(await layerWith("two"));
    await stopped.setMetadata(metadata(""));
    // Not closed: killed.
    const cache = CacheDirectory.open(directory);
    expect(await cache.metadata()).toEqual(metadata(layer.diffId));
    await cache.verifyLayer(layer.diffId);
  });

  it("is as it was, with nothing left behind, when a build is told to stop", async () => {
    const layer = await commit("one");
    const stop = new AbortController();
    const cache = CacheDirectory.open(directory, stop.signal);
    const endless = {
      diffId: `sha256:${"0".repeat(64)}` as const,
      async *uncompressed() {
        for (let chunks = 0; ; chunks++) {
          if (chunks === 10) stop.abort(new Error("stopped"));
          yield Buffer.alloc(1000);
        }
      },
    };
    await expect(cache.addLayer(endless)).rejects.toThrow("stopped");
    await expect(cache.commit()).rejects.toThrow("stopped");
    await cache.close();
    expect(readdirSync(join(directory, "staging"))).toEqual([]);
    expect(await CacheDirectory.open(directory).metadata()).toEqual(metadata(layer.diffId));
  });

  it("is put right after a build was killed between the renames of its commit", async () => {
    const layer = await commit("one");
    renameSync(join(directory, "committed"), join(directory, "committed-backup"));
    const cache = CacheDirectory.open(directory);
    expect(await cache.metadata()).toEqual(metadata(layer.diffId));
    expect(existsSync(join(directory, "committed-backup"))).toBe(false);
  });

  it("is put right after a build was killed before it removed the backup", async () => {
    await commit("one");
    renameSync(join(directory, "committed"), join(directory, "committed-backup"));
    mkdirSync(join(directory, "committed"));
    writeFileSync(join(directory, "committed/io.buildpacks.lifecycle.cache.metadata"), '{"sbom":{"sha":"new"}}');
    const cache = CacheDirectory.open(directory);
    expect(await cache.metadata()).toMatchObject({ sbom: { sha: "new" } });
    expect(existsSync(join(directory, "committed-backup"))).toBe(false);
    await commit("two");
  });

  it("removes what killed builds have staged: the reference's at once, its own after a day", async () => {
    await commit("one");
    writeFileSync(join(directory, "staging", "sha256:aa.tar"), "from the reference");
    const recent = join(directory, "staging", "00000000-0000-4000-8000-000000000001");
    const old = join(directory, "staging", "00000000-0000-4000-8000-000000000002");
    mkdirSync(recent);
    mkdirSync(old);
    utimesSync(old, new Date(0), new Date(0));
    CacheDirectory.open(directory);
    expect(readdirSync(join(directory, "staging"))).toEqual(["00000000-0000-4000-8000-000000000001"]);
  });

  it("holds the whole of one build when many commit at the same time", async () => {
    const layers = await Promise.all(["a", "b", "c", "d", "e", "f"].map(layerWith));
    const builds = layers.map(async (layer) => {
      const cache = CacheDirectory.open(directory);
      await cache.addLayer(layer);
      await cache.setMetadata(metadata(layer.diffId));
      await cache.commit();
    });
    await Promise.all(builds);
    const cache = CacheDirectory.open(directory);
    const { sbom } = await cache.metadata();
    await cache.verifyLayer(sbom.sha);
    expect(readdirSync(join(directory, "committed"))).toHaveLength(2);
    expect(existsSync(join(directory, "committed-backup"))).toBe(false);
  });

  it("says which layer is damaged, at the end of reading it", async () => {
    const layer = await commit("one");
    const file = join(directory, "committed", `${layer.diffId}.tar`);
    const bytes = readFileSync(file);
    bytes[600] = 0x55;
    writeFileSync(file, bytes);
    const cache = CacheDirectory.open(directory);
    await expect(cache.verifyLayer(layer.diffId)).rejects.toThrow(
      new RegExp(`^expected layer contents to have SHA '${layer.diffId}'; found 'sha256:[0-9a-f]{64}'$`),
    );
    await expect(cache.verifyLayer(layer.diffId)).rejects.toBeInstanceOf(CacheReadError);
  });

  it("takes metadata that it cannot read for none", async () => {
    await commit("one");
    writeFileSync(join(directory, "committed/io.buildpacks.lifecycle.cache.metadata"), "{");
    expect(await CacheDirectory.open(directory).metadata()).toEqual({ sbom: { sha: "" }, buildpacks: [] });
  });

  it("does not follow digests that are paths", async () => {
    writeFileSync(join(directory, "secret.tar"), "x");
    const cache = CacheDirectory.open(directory);
    for (const diffId of ["../secret", "sha256:../../secret", ""]) {
      await expect(cache.verifyLayer(diffId)).rejects.toMatchObject({ code: "missing" });
      await expect(cache.reuseLayer(diffId)).rejects.toMatchObject({ code: "missing" });
    }
  });

  it("leaves nothing of a layer that could not be added", async () => {
    const layer = await layerWith("one");
    writeFileSync(join(files, "one", "file"), "changed");
    const cache = CacheDirectory.open(directory);
    await expect(cache.addLayer(layer)).rejects.toThrow();
    await cache.setMetadata(metadata(""));
    await cache.commit();
    expect(readdirSync(join(directory, "committed"))).toEqual(["io.buildpacks.lifecycle.cache.metadata"]);
  });

  it("removes what it staged when it is closed without a commit", async () => {
    const cache = CacheDirectory.open(directory);
    await cache.addLayer(await layerWith("one"));
    await cache.close();
    expect(readdirSync(join(directory, "staging"))).toEqual([]);
  });

  it("says that a directory is missing", () => {
    expect(() => CacheDirectory.open(join(directory, "none"))).toThrow(/cache directory '.*none': ENOENT/);
  });
});
