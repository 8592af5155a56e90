import { rmSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { claimDirectory, makeTree, readVectors } from "./fixture-tree.ts";
import { LayerFactory } from "./layer-factory.ts";

const isRoot = process.getuid?.() === 0;
if (!isRoot) console.log("skipped: layer vectors, which need root to make files of given owners at fixed paths");

describe.runIf(isRoot)("layers are those of the reference", () => {
  beforeAll(() => claimDirectory("/layers-vectors", ["/layers-vectors/vendor_bp"]), 130_000);
  afterAll(() => rmSync("/layers-vectors", { recursive: true, force: true }));

  it.each([...readVectors("layer-vectors/vectors.json"), ...readVectors("golden-layers.json")])(
    "$name: $note",
    async (vector) => {
      makeTree(vector.root, vector.entries ?? []);
      const factory = new LayerFactory({ uid: vector.uid, gid: vector.gid });
      const layer = await factory.dirLayer("vendor/bp:layer", vector.root, "test");
      if (layer.diffId !== vector.diff_id && vector.first_headers_base64 !== undefined) {
        const expected = Buffer.from(vector.first_headers_base64, "base64");
        const { value: first } = await layer.uncompressed().next();
        expect(first?.subarray(0, expected.length)).toEqual(expected);
      }
      expect({ diff_id: layer.diffId, tar_bytes: layer.size }).toEqual({
        diff_id: vector.diff_id,
        tar_bytes: vector.tar_bytes,
      });
      rmSync(vector.root, { recursive: true });
    },
    120_000,
  );
});
