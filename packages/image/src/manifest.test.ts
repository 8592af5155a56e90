import { expect, test } from "vitest";
import { parseManifestOrIndex } from "./manifest.ts";
import { mediaTypes } from "./media-types.ts";

const digest = `sha256:${"0".repeat(64)}`;
const config = { mediaType: mediaTypes.ociConfig, digest, size: 2 };

function parsed(manifest: object): unknown {
  return parseManifestOrIndex(Buffer.from(JSON.stringify({ schemaVersion: 2, ...manifest })), "", "some/app");
}

test.each<[what: string, manifest: object, reason: RegExp]>([
  ["could also be read as an index", { config, layers: [], manifests: [] }, /both an image and an index/],
  ["is of Docker's first schema", { schemaVersion: 1, fsLayers: [] }, /schema version 2 expected, found 1/],
  ["has a negative size", { config: { ...config, size: -1 }, layers: [] }, /config: size is not a size/],
  ["has a size that no number holds", { config, layers: [{ ...config, size: 2 ** 53 }] }, /layers\[0\]: size is not/],
  ["names a blob by something else", { config, layers: [{ size: 1, digest: "sha256:../x" }] }, /not a sha256 digest/],
  ["has no config", { layers: [] }, /config is missing/],
])("a manifest is refused that %s", (_, manifest, reason) => {
  expect(() => parsed(manifest)).toThrow(reason);
});
