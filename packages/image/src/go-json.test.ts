import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { encodeConfig, parseConfig } from "./config.ts";
import { encodeManifest, type Manifest, parseManifestOrIndex } from "./manifest.ts";

// Each .out is what Go's encoding/json made of the .json beside it, by way of go-containerregistry's structs.
const fixture = (name: string) => readFile(new URL(`../fixtures/go-json/${name}`, import.meta.url));

test("a config has the bytes that Go gives it", async () => {
  const config = parseConfig(await fixture("config.json"), "app");
  expect(Buffer.from(encodeConfig(config)).toString()).toBe((await fixture("config.out")).toString());
});

test("a manifest has the bytes that Go gives it", async () => {
  const manifest = parseManifestOrIndex(await fixture("manifest.json"), "", "app") as Manifest;
  expect(Buffer.from(encodeManifest(manifest)).toString()).toBe((await fixture("manifest.out")).toString());
});

test("fields that nobody knows are kept, behind the known ones", () => {
  const text = '{"os":"linux","zz":{"b":1,"a":[]},"config":{"new":null,"Env":["A=b"]},"architecture":"arm64"}';
  expect(Buffer.from(encodeConfig(parseConfig(Buffer.from(text), "app"))).toString()).toBe(
    '{"architecture":"arm64","created":"0001-01-01T00:00:00Z","os":"linux","rootfs":{"type":"layers","diff_ids":[]},' +
      '"config":{"Env":["A=b"],"new":null},"zz":{"a":[],"b":1}}',
  );
});

test("labels named as object members are ordinary labels", () => {
  const text = '{"config":{"Labels":{"__proto__":"p","constructor":"c","toString":"t"}}}';
  const config = parseConfig(Buffer.from(text), "app");
  expect(Object.entries(config.config.Labels ?? {})).toEqual([
    ["__proto__", "p"],
    ["constructor", "c"],
    ["toString", "t"],
  ]);
});

test.each([
  ["[]", "config of app: not a JSON object"],
  ["{", "config of app: not JSON"],
  ['{"config":{"Env":"A=b"}}', "config of app: config: Env is not a list of strings"],
  ['{"config":{"Labels":{"a":1}}}', "config of app: config: Labels is not a map of strings"],
  ['{"rootfs":{"diff_ids":["sha512:00"]}}', 'config of app: rootfs.diff_ids: "sha512:00" is not a sha256 digest'],
])("the config %s is refused", (text, message) => {
  expect(() => parseConfig(Buffer.from(text), "app")).toThrow(message);
});

test.each([
  ['{"schemaVersion":1}', "manifest of app: schema version 2 expected, found 1"],
  ['{"schemaVersion":2}', "manifest of app: config is missing"],
  [
    `{"schemaVersion":2,"config":{"size":-1,"digest":"sha256:${"a".repeat(64)}"}}`,
    "manifest of app: config: size is not a size",
  ],
])("the manifest %s is refused", (text, message) => {
  expect(() => parseManifestOrIndex(Buffer.from(text), "", "app")).toThrow(message);
});
