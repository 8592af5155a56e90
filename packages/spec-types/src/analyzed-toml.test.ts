import { describe, expect, it } from "vitest";
import { EMPTY_LAYERS_METADATA, formatAnalyzed, parseAnalyzed } from "./analyzed-toml.ts";
import {
  formatLayersMetadataLabel,
  formatRebaseMetadataLabel,
  parseLayersMetadataLabel,
  parseRebaseMetadataLabel,
} from "./labels.ts";

// As the reference lifecycle 0.21 writes both.
const ANALYZED = `[image]
  reference = "registry/app@sha256:abc"

[build-image]
  reference = "build"

[metadata]

  [[metadata.app]]
    sha = "sha256:app"
  [metadata.sbom]
    sha = "sha256:sbom"

  [[metadata.buildpacks]]
    key = "some/node"
    version = "1.2.3"
    [metadata.buildpacks.layers]
      [metadata.buildpacks.layers.__proto__]
        sha = "sha256:proto"
        build = true
        launch = false
        cache = false
      [metadata.buildpacks.layers.modules]
        sha = "sha256:modules"
        build = false
        launch = true
        cache = true
        [metadata.buildpacks.layers.modules.metadata]
          locked = 1979-05-27
          ratio = 1.0
          size = 9007199254740993
    [metadata.buildpacks.store]
      [metadata.buildpacks.store.metadata]
        seen = ["<a>"]
  [metadata.config]
    sha = "sha256:config"
  [metadata.launcher]
    sha = "sha256:launcher"
  [metadata.process-types]
    sha = "sha256:types"
  [metadata.run-image]
    top-layer = "sha256:top"
    reference = "run@sha256:run"
    image = "run"
    mirrors = ["mirror/run"]
  [metadata.stack]
    [metadata.stack.run-image]
      image = "run"

[run-image]
  reference = "run@sha256:run"
  image = "run"
  extend = true
  [run-image.target]
    id = "minimal"
    os = "linux"
    arch = "arm64"
    arch-variant = "v8"
    [run-image.target.distro]
      name = "debian"
      version = "12"
`;
const LABEL = String.raw`{"app":[{"sha":"sha256:app"}],"sbom":{"sha":"sha256:sbom"},"buildpacks":[{"key":"some/node","version":"1.2.3","layers":{"__proto__":{"sha":"sha256:proto","data":null,"build":true,"launch":false,"cache":false},"modules":{"sha":"sha256:modules","data":{"locked":"1979-05-27T00:00:00Z","ratio":1,"size":9007199254740993},"build":false,"launch":true,"cache":true}},"store":{"metadata":{"seen":["\u003ca\u003e"]}}}],"config":{"sha":"sha256:config"},"launcher":{"sha":"sha256:launcher"},"process-types":{"sha":"sha256:types"},"runImage":{"topLayer":"sha256:top","reference":"run@sha256:run","image":"run","mirrors":["mirror/run"]},"stack":{"runImage":{"image":"run"}}}`;

describe("analyzed.toml", () => {
  it("reads and writes what the reference lifecycle writes", () => {
    const analyzed = parseAnalyzed(ANALYZED, "analyzed.toml");
    expect(analyzed.runImage).toEqual({
      reference: "run@sha256:run",
      image: "run",
      extend: true,
      target: {
        id: "minimal",
        os: "linux",
        arch: "arm64",
        archVariant: "v8",
        distro: { name: "debian", version: "12" },
      },
    });
    expect(analyzed.layersMetadata.buildpacks?.[0]?.layers.get("modules")).toEqual({
      sha: "sha256:modules",
      metadata: { locked: expect.anything(), ratio: 1, size: 9007199254740993n },
      build: false,
      launch: true,
      cache: true,
    });
    expect(formatAnalyzed(analyzed)).toBe(ANALYZED);
  });

  it("is the same with a byte-order mark and CRLF", () => {
    expect(formatAnalyzed(parseAnalyzed(`\ufeff${ANALYZED.replaceAll("\n", "\r\n")}`, "analyzed.toml"))).toBe(ANALYZED);
  });

  it("says what an image that does not exist holds", () => {
    expect(parseAnalyzed("", "analyzed.toml")).toEqual({ layersMetadata: EMPTY_LAYERS_METADATA });
    expect(formatAnalyzed({ layersMetadata: EMPTY_LAYERS_METADATA })).toBe(`[metadata]
  [metadata.config]
    sha = ""
  [metadata.launcher]
    sha = ""
  [metadata.process-types]
    sha = ""
  [metadata.run-image]
    top-layer = ""
    reference = ""
`);
  });

  it.each([
    ["[image]\nreference = 1", "2:1: image.reference: expected a string, found an integer"],
    ["metadata = 1", "1:1: metadata: expected a table, found an integer"],
    ["[metadata]\napp = {}", "2:1: metadata.app: expected an array, found a table"],
    [
      "[[metadata.app]]\nsha=''\n[[metadata.app]]\nsha = 2.5",
      "4:1: metadata.app[1].sha: expected a string, found a float",
    ],
    [
      "[metadata]\nbuildpacks = [\n  {key = 'a'},\n  {key = 'b', layers = {\n    x = {launch = 'yes'}}},\n]",
      "5:10: metadata.buildpacks[1].layers.x.launch: expected true or false, found a string",
    ],
  ])("refuses %j", (text, message) => {
    expect(() => parseAnalyzed(text, "analyzed.toml")).toThrow(`analyzed.toml:${message}`);
  });
});

describe("io.buildpacks.lifecycle.metadata", () => {
  it("has the bytes that the reference lifecycle writes", () => {
    expect(formatLayersMetadataLabel(parseAnalyzed(ANALYZED, "analyzed.toml").layersMetadata)).toBe(LABEL);
    expect(formatLayersMetadataLabel(parseLayersMetadataLabel(LABEL))).toBe(LABEL);
    expect(formatLayersMetadataLabel(EMPTY_LAYERS_METADATA)).toBe(
      '{"app":null,"buildpacks":null,"config":{"sha":""},"launcher":{"sha":""},"process-types":{"sha":""},"runImage":{"topLayer":"","reference":""}}',
    );
  });

  it("gives integers back as integers", () => {
    const { buildpacks } = parseLayersMetadataLabel(LABEL);
    expect(buildpacks?.[0]?.layers.get("modules")?.metadata).toEqual({
      locked: "1979-05-27T00:00:00Z",
      ratio: 1n,
      size: 9007199254740993n,
    });
  });

  it("reads keys whatever their case, as Go does", () => {
    expect(parseLayersMetadataLabel('{"RunImage":{"toplayer":"t"},"Config":{"SHA":"c"}}')).toMatchObject({
      config: { sha: "c" },
      runImage: { topLayer: "t" },
    });
  });

  it.each(["", "[]", "null x", '{"app":"x"}', '{"config":{"sha":1}}'])("refuses %j", (text) => {
    expect(() => parseLayersMetadataLabel(text)).toThrow(/^io\.buildpacks\.lifecycle\.metadata: /);
  });

  it.each([
    ["a list of layers", '[{"sha":"sha256:app"}]'],
    ["one layer, as old lifecycles wrote it", '{"also":[1,"a"],"sha":"sha256:app"}'],
    ["nothing", "null"],
  ])("keeps what a rebase does not change, where app is %s", (_, app) => {
    const label = LABEL.replace('[{"sha":"sha256:app"}]', app);
    const metadata = parseRebaseMetadataLabel(label);
    expect(metadata.runImage).toEqual(parseLayersMetadataLabel(LABEL).runImage);
    expect(formatRebaseMetadataLabel(metadata)).toBe(label);
  });

  it.each(["[]", '{"config":{"sha":1}}'])("refuses %j to rebase", (text) => {
    expect(() => parseRebaseMetadataLabel(text)).toThrow(/^io\.buildpacks\.lifecycle\.metadata: /);
  });
});

it("a target's variant is also read under the platform spec's name", () => {
  const text = '[run-image]\nreference = "r"\n[run-image.target]\nos = "linux"\narch = "arm64"\nvariant = "v8"\n';
  expect(parseAnalyzed(text, "analyzed.toml").runImage?.target?.archVariant).toBe("v8");
});
