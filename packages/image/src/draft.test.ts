import { readFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { encodeConfig, parseConfig } from "./config.ts";
import type { Descriptor } from "./descriptor.ts";
import { type Digest, digestOf } from "./digest.ts";
import { ImageDraft } from "./draft.ts";
import type { Layer } from "./layer.ts";
import { encodeManifest, type Manifest, parseManifestOrIndex } from "./manifest.ts";
import { mediaTypes } from "./media-types.ts";
import { StoredImage } from "./stored-image.ts";

// What the Go lifecycle exported on a base image: see its config and manifest for each Platform API.
const fixture = (name: string) => readFile(new URL(`../fixtures/reference/${name}.json`, import.meta.url));

function layerOf(diffId: Digest, descriptor: Descriptor): Layer {
  return { diffId, descriptor, compressed: noBytes, uncompressed: noBytes };
}

async function* noBytes(): AsyncGenerator<Uint8Array> {}

async function imageOf(name: string, configFile: string, manifestFile: string): Promise<StoredImage> {
  const config = parseConfig(await fixture(configFile), name);
  const manifest = parseManifestOrIndex(await fixture(manifestFile), "", name) as Manifest;
  return new StoredImage({ name, identifier: name, manifest, config }, layerOf);
}

it.each([
  ["0.11", false],
  ["0.12", true],
])("an image has the bytes that the Go lifecycle gives it with Platform API %s", async (api, keepHistory) => {
  const base = await imageOf("base", "base-config", "base-manifest");
  const expected = await imageOf("app", `config-${api}`, `manifest-${api}`);
  const draft = new ImageDraft({ base, keepHistory });
  for (const [index, layer] of expected.layers.entries()) {
    if (index >= base.layers.length) draft.addLayer(layer, expected.config.history?.[index]?.created_by);
  }
  for (const [name, value] of expected.labels) draft.setLabel(name, value);
  for (const [, name = "", value = ""] of expected.env.map((entry) => /^(.*?)=(.*)$/.exec(entry) ?? [])) {
    draft.setEnv(name, value);
  }
  draft.setWorkingDir("/srv/workspace");
  draft.setEntrypoint(["/cnb/lifecycle/launcher"]);
  draft.setCmd([]);

  const config = encodeConfig(draft.config());
  expect(Buffer.from(config).toString()).toBe((await fixture(`config-${api}`)).toString());
  const descriptors = draft.layers.flatMap(({ descriptor }) => descriptor ?? []);
  const manifest = draft.manifest({ digest: digestOf(config), size: config.length }, descriptors);
  expect(Buffer.from(encodeManifest(manifest)).toString()).toBe((await fixture(`manifest-${api}`)).toString());
});

describe("a rebase", () => {
  const digests = "abcdef0123".split("").map((digit): Digest => `sha256:${digit.repeat(64)}`);
  const [a = "sha256:", b = a, c = a, d = a, e = a] = digests;

  /** An image whose layers have these diff ids, and whose blobs have the same digests. */
  function imageWith(diffIds: readonly Digest[], config: object = {}, manifest: object = {}): StoredImage {
    const parsed = parseConfig(
      Buffer.from(
        JSON.stringify({
          os: "linux",
          architecture: "amd64",
          rootfs: { type: "layers", diff_ids: diffIds },
          history: diffIds.map((diffId) => ({ created_by: `made ${diffId}` })),
          ...config,
        }),
      ),
      "image",
    );
    const layers = diffIds.map((digest) => ({ mediaType: mediaTypes.dockerLayerGzip, digest, size: 1 }));
    const parts = { schemaVersion: 2 as const, mediaType: mediaTypes.dockerManifest, layers, ...manifest };
    const descriptor = { mediaType: mediaTypes.dockerConfig, digest: a, size: 1 };
    return new StoredImage(
      { name: "n", identifier: "i", manifest: { config: descriptor, ...parts }, config: parsed },
      layerOf,
    );
  }

  const diffIdsOf = (draft: ImageDraft) => draft.layers.map(({ diffId }) => diffId);

  it("exchanges the run image's layers and keeps those above, as they are stored", () => {
    const app = imageWith([a, b, c, d]);
    const draft = new ImageDraft({ base: app, keepHistory: true });
    draft.rebase(b, imageWith([e]));
    expect(diffIdsOf(draft)).toEqual([e, c, d]);
    expect(draft.config().rootfs.diff_ids).toEqual([e, c, d]);
    expect(draft.config().history?.map((entry) => entry.created_by)).toEqual([e, c, d].map((id) => `made ${id}`));
    expect(draft.layers.slice(1)).toEqual(app.layers.slice(2));
  });

  it("ends the old run image at the last layer of that content", () => {
    const draft = new ImageDraft({ base: imageWith([a, b, c, b, d]) });
    draft.rebase(b, imageWith([e]));
    expect(diffIdsOf(draft)).toEqual([e, d]);
  });

  it("takes the platform from the new run image, and everything else from the app image", () => {
    const app = imageWith(
      [a, b],
      { variant: "v1", author: "me", config: { User: "app", Env: ["A=1"], Labels: { l: "app" } } },
      { mediaType: mediaTypes.ociManifest, annotations: { of: "app" } },
    );
    const runImage = imageWith(
      [c, d],
      { architecture: "arm64", variant: "v8", "os.version": "1", "os.features": ["f"], config: { User: "other" } },
      { annotations: { of: "run" } },
    );
    const draft = new ImageDraft({ base: app });
    draft.rebase(a, runImage);
    const system = { os: "linux", architecture: "arm64", variant: "v8", "os.version": "1", "os.features": ["f"] };
    const config = { User: "app", Env: ["A=1"], Labels: { l: "app" } };
    expect(draft.config()).toMatchObject({ ...system, author: "me", config });
    const { family } = draft;
    expect({ family, ...draft.manifest({ digest: a, size: 1 }, []) }).toMatchObject({
      family: "oci",
      mediaType: mediaTypes.ociManifest,
      annotations: { of: "app" },
    });
  });

  it("forgets a variant that the new run image does not have", () => {
    const draft = new ImageDraft({ base: imageWith([a, b], { architecture: "arm", variant: "v7" }) });
    draft.rebase(a, imageWith([c]));
    expect(draft.config()).toMatchObject({ architecture: "amd64", variant: undefined });
  });

  it("is refused when the image does not stand on that layer", () => {
    const draft = new ImageDraft({ base: imageWith([a, b]) });
    for (const topLayer of [c, ""]) {
      expect(() => draft.rebase(topLayer, imageWith([d]))).toThrow("could not find base layer in image");
    }
    expect(diffIdsOf(draft)).toEqual([a, b]);
  });
});
