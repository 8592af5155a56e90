import { existsSync, readFileSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { isCached, isLaunch, LayersDir, whyMalformed } from "./layers-dir.ts";
import { TestBuilder } from "./test-builder.ts";

let builder: TestBuilder;

beforeEach(() => {
  builder = new TestBuilder();
});

afterEach(() => {
  builder.remove();
});

function read(): LayersDir {
  return LayersDir.read(builder.layersDir, { id: "a/b", version: "1" }, builder.logger);
}

function write(name: string, content = ""): void {
  builder.write(`layers/a_b/${name}`, content);
}

describe("LayersDir", () => {
  it("finds layers by their directories and their metadata, in order", () => {
    write("z/file");
    write("both/file");
    write("both.toml", "[types]\nlaunch = true\n");
    write("Metadata.toml", "[types]\ncache = true\n");
    write("build.toml");
    write("launch.toml");
    write("store.toml", "[metadata]\nkey = 1\n");
    write("both.sbom.cdx.json");
    const dir = read();
    expect(dir.path).toBe(`${builder.layersDir}/a_b`);
    expect(dir.layers.map(({ identifier }) => identifier)).toEqual(["a/b:Metadata", "a/b:both", "a/b:z"]);
    expect(dir.layers.map((layer) => layer.hasLocalContents())).toEqual([false, true, true]);
    expect(dir.layers.filter(isLaunch).map(({ name }) => name)).toEqual(["both"]);
    expect(dir.layers.filter(isCached).map(({ name }) => name)).toEqual(["Metadata"]);
    expect(dir.store?.metadata?.key).toBe(1n);
  });

  it("of a buildpack that left nothing is empty", () => {
    expect(read().layers).toEqual([]);
    expect(read().store).toBeUndefined();
  });

  it("names the buildpack whose store.toml is broken", () => {
    write("store.toml", "x =");
    expect(read).toThrow(/^failed decoding store.toml for buildpack "a\/b": .*store\.toml:1:/);
  });
});

describe("Layer", () => {
  it("reads metadata and digest, of what is missing nothing", () => {
    write("l.toml", '[types]\nlaunch = true\n[metadata]\nv = "1"\n');
    write("l.sha", "sha256:abc");
    expect(read().layer("l").read()).toMatchObject({ launch: true, build: false, cache: false, sha: "sha256:abc" });
    expect(read().layer("none").read()).toEqual({ launch: false, build: false, cache: false, sha: "" });
  });

  it("with broken metadata is malformed, neither launch nor cached", () => {
    write("l.toml", "x =");
    const layer = read().layer("l");
    expect([isLaunch(layer), isCached(layer)]).toEqual([false, false]);
    expect(whyMalformed(layer)).toMatch(/l\.toml:1:4: /);
    expect(() => layer.read()).toThrow(/l\.toml:1:/);
  });

  it("is restored without saying what it is for", () => {
    const layer = read().layer("l");
    layer.writeMetadata({ metadata: { v: "1" } });
    layer.writeSha("sha256:abc");
    expect(readFileSync(`${layer.path}.toml`, "utf8")).toBe('[metadata]\n  v = "1"\n');
    expect(layer.read()).toMatchObject({ launch: false, metadata: { v: "1" }, sha: "sha256:abc" });
  });

  it("is removed with all that belongs to it", () => {
    write("l/deep/file");
    write("l.toml");
    write("l.sha");
    write("other.toml");
    read().layer("l").remove();
    expect(read().layers.map(({ name }) => name)).toEqual(["other"]);
    expect(existsSync(`${builder.layersDir}/a_b/l.sha`)).toBe(false);
  });
});
