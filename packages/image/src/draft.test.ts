import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { encodeConfig, parseConfig } from "./config.ts";
import type { Descriptor } from "./descriptor.ts";
import { type Digest, digestOf } from "./digest.ts";
import { ImageDraft } from "./draft.ts";
import type { Layer } from "./layer.ts";
import { encodeManifest, type Manifest, parseManifestOrIndex } from "./manifest.ts";
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

test.each([
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
