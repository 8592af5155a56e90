import { describe, expect, it } from "vitest";
import { formatLegacySbom, parseBuildToml } from "./build-toml.ts";
import { formatCacheMetadata, parseCacheMetadata, parseMixinsLabel } from "./labels.ts";
import { formatRestoredLayerToml, parseLayerToml } from "./layer-toml.ts";
import { formatLifecycleDescriptor, parseLifecycleDescriptor } from "./lifecycle-toml.ts";
import { parseOrder } from "./order-toml.ts";
import { formatProjectMetadataLabel, parseProjectMetadata } from "./project-metadata-toml.ts";
import { formatReport, parseReport } from "./report-toml.ts";
import { parseRun } from "./run-toml.ts";
import { parseStack } from "./stack-toml.ts";
import { formatStoreToml, parseStoreToml } from "./store-toml.ts";
import { parseSystem } from "./system-toml.ts";

describe("what a platform gives", () => {
  it("order.toml: extensions are optional", () => {
    const text =
      "[[order]]\n[[order.group]]\nid = 'a'\nversion = '1'\noptional = true\n[[order-extensions]]\n[[order-extensions.group]]\nid = 'e'\nversion = '2'";
    expect(parseOrder(text, "order.toml")).toEqual({
      order: [{ group: [{ id: "a", version: "1", optional: true }] }],
      orderExtensions: [{ group: [{ id: "e", version: "2", extension: true, optional: true }] }],
    });
  });

  it("system.toml", () => {
    const text =
      "[system.pre]\nbuildpacks = [{id = 'a', version = '1'}]\n[[system.post.buildpacks]]\nid = 'b'\nversion = '2'\noptional = true";
    expect(parseSystem(text, "system.toml")).toEqual({
      pre: [{ id: "a", version: "1" }],
      post: [{ id: "b", version: "2", optional: true }],
    });
  });

  it("run.toml and stack.toml", () => {
    expect(parseRun("[[images]]\nimage = 'r'\nmirrors = ['m']\n[[images]]\nimage = 's'", "run.toml")).toEqual({
      images: [{ image: "r", mirrors: ["m"] }, { image: "s" }],
    });
    expect(parseStack("[run-image]\nimage = 'r'\nmirrors = ['m']", "stack.toml")).toEqual({
      runImage: { image: "r", mirrors: ["m"] },
    });
    expect(parseStack("", "stack.toml")).toEqual({ runImage: {} });
  });

  it("project-metadata.toml, and its label", () => {
    const text =
      "[source]\ntype = 'git'\n[source.version]\ncommit = '<abc>'\ncount = 3\n[source.metadata]\nrefs = ['main']\nat = 2024-01-02T03:04:05";
    expect(formatProjectMetadataLabel(parseProjectMetadata(text, "p.toml"))).toBe(
      String.raw`{"source":{"type":"git","version":{"commit":"\u003cabc\u003e","count":3},"metadata":{"at":"2024-01-02T03:04:05Z","refs":["main"]}}}`,
    );
    expect(formatProjectMetadataLabel(parseProjectMetadata("", "p.toml"))).toBe("{}");
    expect(formatProjectMetadataLabel(parseProjectMetadata("[source.version]", "p.toml"))).toBe('{"source":{}}');
  });
});

describe("what a buildpack leaves", () => {
  it("<layer>.toml, which loses its flags when restored", () => {
    const layer = parseLayerToml("[types]\nlaunch = true\ncache = true\n[metadata]\nb = 2.0\na = {c = 1}", "x.toml");
    expect(layer).toEqual({ launch: true, cache: true, build: false, metadata: { a: { c: 1n }, b: 2 } });
    expect(formatRestoredLayerToml(layer)).toBe("[metadata]\n  b = 2.0\n  [metadata.a]\n    c = 1\n");
    expect(formatRestoredLayerToml(parseLayerToml("", "x.toml"))).toBe("");
  });

  it("refuses flags outside of the types table", () => {
    expect(() => parseLayerToml("[metadata]\n[types]\n", "x.toml")).not.toThrow();
    expect(() => parseLayerToml("cache = false", "/layers/x.toml")).toThrow(
      "/layers/x.toml:1:1: cache: the launch, cache and build flags should be in the types table of /layers/x.toml",
    );
  });

  it("build.toml and the legacy bill of materials", () => {
    const { bom, unmet } = parseBuildToml(
      "[[bom]]\nname = 'n'\nmetadata = {v = 1}\n[[unmet]]\nname = 'u'",
      "build.toml",
    );
    expect(unmet).toEqual([{ name: "u" }]);
    expect(formatLegacySbom(bom)).toBe('[{"name":"n","metadata":{"v":1},"buildpack":{"id":"","version":""}}]\n');
    expect(formatLegacySbom([])).toBe("null\n");
  });

  it("store.toml", () => {
    const text = '[metadata]\n  key = "value"\n';
    expect(formatStoreToml(parseStoreToml(text, "store.toml"))).toBe(text);
    expect(formatStoreToml(parseStoreToml("", "store.toml"))).toBe("");
  });
});

describe("what the lifecycle writes", () => {
  it("report.toml", () => {
    const text = `[build]

  [[build.bom]]
    name = "n"
    [build.bom.buildpack]
      id = "a"
      version = "1"

[image]
  tags = ["a", "b"]
  image-id = "sha256:i"
  digest = "sha256:d"
  manifest-size = 1234567
`;
    expect(formatReport(parseReport(text, "report.toml"))).toBe(text);
    expect(formatReport({ image: { tags: ["a"], digest: "sha256:d" } })).toBe(
      '[image]\n  tags = ["a"]\n  digest = "sha256:d"\n',
    );
  });

  it("lifecycle.toml", () => {
    const descriptor = {
      apis: {
        buildpack: { deprecated: [], supported: ["0.7", "0.8"] },
        platform: { deprecated: ["0.7"], supported: ["0.7", "0.15"] },
      },
      api: { platform: "0.7", buildpack: "0.7" },
      lifecycle: { version: "1.2.3", sbomFormats: ["application/spdx+json"] },
    };
    expect(parseLifecycleDescriptor(formatLifecycleDescriptor(descriptor), "lifecycle.toml")).toEqual(descriptor);
  });

  it("the cache's metadata", () => {
    const text =
      '{"sbom":{"sha":"s"},"buildpacks":[{"key":"b","version":"1","layers":{"z":{"sha":"x","data":{"s":"t"},"build":false,"launch":true,"cache":false}}}]}';
    expect(formatCacheMetadata(parseCacheMetadata(text))).toBe(text);
    expect(formatCacheMetadata(parseCacheMetadata("{}"))).toBe('{"sbom":{"sha":""},"buildpacks":null}');
  });
});

it("the mixins of a stack are a list of strings", () => {
  expect(parseMixinsLabel('["a","build:b"]')).toEqual(["a", "build:b"]);
  expect(() => parseMixinsLabel('{"a":1}')).toThrow("io.buildpacks.stack.mixins: expected a JSON array of strings");
});
