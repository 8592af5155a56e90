import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ImageError, LayoutStore } from "@lifecycle/image";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { CacheImage } from "./cache-image.ts";
import { CacheReadError } from "./errors.ts";
import { LayerFactory } from "./layer-factory.ts";
import type { NewLayer } from "./new-layer.ts";

const name = "registry.example/app/cache";
let directory: string;
let warnings: string[];

beforeEach(() => {
  warnings = [];
  directory = mkdtempSync(join(tmpdir(), "cache-image-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

function open(): Promise<CacheImage> {
  return CacheImage.open(name, new LayoutStore({ layoutDir: join(directory, "layouts") }), (message) => {
    warnings.push(message);
  });
}

async function layerWith(text: string): Promise<NewLayer> {
  const path = mkdtempSync(join(directory, "files-"));
  writeFileSync(join(path, "file"), text);
  return new LayerFactory({ uid: 1, gid: 1 }).dirLayer(text, path, "test");
}

async function read(stream: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** Refuses to show its images, as registries do to who has no account. */
class ClosedStore extends LayoutStore {
  override open(): Promise<undefined> {
    return Promise.reject(new ImageError("unauthorized", "authentication required"));
  }
}

describe("cache image", () => {
  it("is as good as none when it may not be read", async () => {
    const cache = await CacheImage.open(name, new ClosedStore({ layoutDir: directory }), () => {});
    expect(cache.exists()).toBe(false);
  });

  it("gives back what was committed, and reuses layers without their files", async () => {
    const first = await open();
    expect(first.exists()).toBe(false);
    expect(await first.metadata()).toEqual({ sbom: { sha: "" }, buildpacks: [] });
    const layer = await layerWith("one");
    const bytes = await read(layer.uncompressed());
    await first.addLayer(layer);
    await first.setMetadata({ sbom: { sha: layer.diffId }, buildpacks: [] });
    await first.commit();
    await expect(first.addLayer(layer)).rejects.toThrow("cache cannot be modified after commit");

    for (const file of readdirSync(directory)) {
      if (file.startsWith("files-")) rmSync(join(directory, file), { recursive: true });
    }
    const second = await open();
    expect(second.exists()).toBe(true);
    expect(await second.metadata()).toEqual({ sbom: { sha: layer.diffId }, buildpacks: [] });
    await second.reuseLayer(layer.diffId);
    await second.setMetadata(await second.metadata());
    await second.commit();

    const third = await open();
    await third.verifyLayer(layer.diffId);
    expect(await read(third.retrieveLayer(layer.diffId))).toEqual(bytes);
  });

  it("says that a layer is missing or damaged", async () => {
    const layer = await layerWith("one");
    const cache = await open();
    await cache.addLayer(layer);
    await cache.commit();

    const reopened = await open();
    const none = `sha256:${"0".repeat(64)}`;
    for (const failure of [reopened.verifyLayer(none), reopened.reuseLayer(none), read(reopened.retrieveLayer(none))]) {
      await expect(failure).rejects.toThrow(`failed to find cache layer with SHA '${none}'`);
    }
    const blobs = readdirSync(join(directory, "layouts"), { recursive: true, withFileTypes: true });
    for (const blob of blobs.filter((entry) => /^[0-9a-f]{64}$/.test(entry.name))) {
      const path = join(blob.parentPath, blob.name);
      const bytes = readFileSync(path);
      if (bytes[0] !== 0x1f) continue;
      bytes.fill(0x55, bytes.length - 8);
      writeFileSync(path, bytes);
    }
    await expect(read((await open()).retrieveLayer(layer.diffId))).rejects.toBeInstanceOf(CacheReadError);
  });

  it("is as good as none when it is damaged, and replaced", async () => {
    const layer = await layerWith("one");
    const first = await open();
    await first.addLayer(layer);
    await first.commit();
    const blobs = join(directory, "layouts", name, "latest/blobs/sha256");
    for (const blob of readdirSync(blobs)) writeFileSync(join(blobs, blob), "damaged");

    const second = await open();
    expect(warnings).toEqual([expect.stringMatching(`^Ignoring cache image '${name}': .*expected \\d+ bytes`)]);
    expect(second.exists()).toBe(false);
    await second.addLayer(layer);
    await second.commit();
    await read((await open()).retrieveLayer(layer.diffId));
  });

  it("can be committed without layers", async () => {
    const cache = await open();
    await cache.setMetadata({ sbom: { sha: "" }, buildpacks: [] });
    await cache.commit();
    expect((await open()).exists()).toBe(true);
  });
});
