import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { digestHex, digestOf, openLayout, type SparseLayer, writeSparseLayout } from "./index.ts";

let dir: string;
let umask: number;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "sparse-"));
  umask = process.umask(0o077);
});
afterEach(async () => {
  process.umask(umask);
  await rm(dir, { recursive: true });
});

function layerOf(text: string): SparseLayer & { readonly text: string } {
  const bytes = Buffer.from(text);
  return {
    text,
    digest: digestOf(bytes),
    size: bytes.length,
    async *source() {
      yield bytes;
    },
  };
}

const base = layerOf("base");
const added = layerOf("added");

// Written as no tool writes it: the bytes must not pass through an encoder.
const config = Buffer.from(
  `{ "rootfs": {"diff_ids": ["${base.digest}", "${added.digest}"], "type": "layers"},\n "os":"linux", "config": {} }`,
);
const manifest = Buffer.from(
  `{ "layers": [${[base, added].map(({ digest, size }) => `{"digest":"${digest}","size":${size}}`).join()}],
     "config": {"size": ${config.length}, "digest": "${digestOf(config)}"}, "schemaVersion": 2 }`,
);
const blobs = async (path: string) => (await readdir(join(path, "blobs/sha256"))).sort();
const hexes = (...all: Uint8Array[]) => all.map((each) => digestHex(digestOf(each))).sort();

describe("a sparse layout", () => {
  it("has manifest and config byte for byte, and no layer", async () => {
    const path = join(dir, "cache/base", digestOf(manifest));
    expect(await writeSparseLayout(path, { manifest, config })).toBe(digestOf(manifest));
    expect(await blobs(path)).toEqual(hexes(manifest, config));
    const image = await openLayout(path);
    expect(image?.identifier).toBe(`${path}@${digestOf(manifest)}`);
    expect(Buffer.from(image?.bytes?.manifest ?? []).equals(manifest)).toBe(true);
    expect(Buffer.from(image?.bytes?.config ?? []).equals(config)).toBe(true);
    expect(JSON.parse(await readFile(join(path, "oci-layout"), "utf8"))).toEqual({ imageLayoutVersion: "1.0.0" });
  });

  it("can be read by everybody, whatever the umask", async () => {
    const path = join(dir, "layout");
    await writeSparseLayout(path, { manifest, config, layers: [added] });
    const modeOf = async (name: string) => (await stat(join(path, name))).mode & 0o777;
    for (const name of ["", "blobs", "blobs/sha256"]) expect(await modeOf(name)).toBe(0o755);
    const files = ["index.json", "oci-layout", ...hexes(manifest).map((hex) => `blobs/sha256/${hex}`)];
    for (const name of files) expect(await modeOf(name)).toBe(0o644);
  });

  it("replaces what was there, with the layers that are given", async () => {
    const path = join(dir, "layout");
    await writeSparseLayout(path, { manifest, config });
    await writeFile(join(path, "stray"), "");
    await writeSparseLayout(path, { manifest, config, layers: [added] });
    expect(await blobs(path)).toEqual(hexes(manifest, config, Buffer.from(added.text)));
    expect((await readdir(path)).sort()).toEqual(["blobs", "index.json", "oci-layout"]);
    expect(await readdir(dir)).toEqual([basename(path)]);
  });

  it("leaves what was there, and nothing else, when a layer has other bytes", async () => {
    const path = join(dir, "layout");
    await writeSparseLayout(path, { manifest, config });
    const wrong = { ...added, source: layerOf("other").source };
    const writing = writeSparseLayout(path, { manifest, config, layers: [wrong] });
    await expect(writing).rejects.toMatchObject({ code: "corrupt", message: expect.stringContaining(added.digest) });
    expect(await blobs(path)).toEqual(hexes(manifest, config));
    expect(await readdir(dir)).toEqual([basename(path)]);
  });

  it("holds nothing that its manifest does not name", async () => {
    const path = join(dir, "layout");
    const stranger = writeSparseLayout(path, { manifest, config, layers: [layerOf("stranger")] });
    await expect(stranger).rejects.toMatchObject({ code: "invalid" });
    const otherConfig = writeSparseLayout(path, { manifest, config: Buffer.from("{}") });
    await expect(otherConfig).rejects.toMatchObject({ code: "invalid" });
    expect(await readdir(dir)).toEqual([]);
  });
});
