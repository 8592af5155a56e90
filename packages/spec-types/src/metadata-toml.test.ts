import { describe, expect, it } from "vitest";
import { ApiVersion } from "./apis.ts";
import {
  formatBuildMetadata,
  formatBuildMetadataLabel,
  parseBuildMetadata,
  parseBuildMetadataLabel,
} from "./metadata-toml.ts";

// As the reference lifecycle 0.21 writes both.
const before = `buildpack-default-process-type = "web"

[[bom]]
  name = "node"
  [bom.metadata]
    version = "20"
  [bom.buildpack]
    id = "some/node"
    version = "1"

[[buildpacks]]
  id = "some/node"
  version = "1"
  api = "0.10"
  homepage = "https://node?a&b"

[[extensions]]
  id = "some/ext"
  version = "2"
  api = "0.9"

[[labels]]
  key = "k"
  value = "v"

`;
const after = `
[[slices]]
  paths = ["*.js"]
`;
const processes = String.raw`[[processes]]
  type = "web"
  command = ["node", "--x"]
  args = ["a<b"]
  direct = true
  buildpack-id = "some/node"
  working-dir = "/srv"
  exec-env = ["test"]

[[processes]]
  type = "job"
  command = ["a \u0026\u0026 b"]
  direct = false
  buildpack-id = "some/node"
`;
const oldProcesses = String.raw`[[processes]]
  type = "web"
  command = "node"
  args = ["--x", "a<b"]
  direct = true
  buildpack-id = "some/node"
  working-dir = "/srv"
  exec-env = ["test"]

[[processes]]
  type = "job"
  command = "a \u0026\u0026 b"
  args = []
  direct = false
  buildpack-id = "some/node"
`;
const bom = '"bom":[{"name":"node","metadata":{"version":"20"},"buildpack":{"id":"some/node","version":"1"}}],';
const label = (processList: string): string =>
  String.raw`"buildpacks":[{"id":"some/node","version":"1","homepage":"https://node?a\u0026b"}],"extensions":[{"id":"some/ext","version":"2"}],"launcher":{"version":"0.1.0","source":{"git":{"repository":"r","commit":"c"}}},"processes":[${processList}],"buildpack-default-process-type":"web"}`;
const labelProcesses = String.raw`{"type":"web","command":["node","--x"],"args":["a\u003cb"],"direct":true,"buildpackID":"some/node","working-dir":"/srv","exec-env":["test"]},{"type":"job","command":["a \u0026\u0026 b"],"args":null,"direct":false,"buildpackID":"some/node"}`;
const oldLabelProcesses = String.raw`{"type":"web","command":"node","args":["--x","a\u003cb"],"direct":true,"buildpackID":"some/node","working-dir":"/srv","exec-env":["test"]},{"type":"job","command":"a \u0026\u0026 b","args":[],"direct":false,"buildpackID":"some/node"}`;

const launcher = { version: "0.1.0", source: { git: { repository: "r", commit: "c" } } };

describe.each([
  ["0.8", oldProcesses, `{${bom}${label(oldLabelProcesses)}`],
  ["0.9", oldProcesses, `{${label(oldLabelProcesses)}`],
  ["0.10", processes, `{${label(labelProcesses)}`],
  ["0.15", processes, `{${label(labelProcesses)}`],
])("with Platform API %s", (version, expectedProcesses, expectedLabel) => {
  const api = ApiVersion.parse(version);

  it("metadata.toml has the bytes that the reference lifecycle writes", () => {
    const metadata = parseBuildMetadata(before + processes + after, "metadata.toml", api);
    const text = before + expectedProcesses + after;
    expect(formatBuildMetadata(metadata, api)).toBe(text);
    expect(formatBuildMetadata(parseBuildMetadata(text, "metadata.toml", api), api)).toBe(text);
  });

  it("so does the label io.buildpacks.build.metadata", () => {
    const metadata = parseBuildMetadata(before + processes + after, "metadata.toml", api);
    expect(formatBuildMetadataLabel(metadata, launcher, api)).toBe(expectedLabel);
    expect(formatBuildMetadataLabel(parseBuildMetadataLabel(expectedLabel, api), launcher, api)).toBe(expectedLabel);
  });
});

describe("metadata.toml", () => {
  it("of a build without processes has an empty list of them", () => {
    const api = ApiVersion.parse("0.8");
    const metadata = parseBuildMetadata("", "metadata.toml", api);
    expect(formatBuildMetadata(metadata, api)).toBe("buildpacks = []\nprocesses = []\n");
    expect(formatBuildMetadataLabel(metadata, launcher, api)).toBe(
      '{"bom":null,"buildpacks":[],"launcher":{"version":"0.1.0","source":{"git":{"repository":"r","commit":"c"}}},"processes":[]}',
    );
  });

  it("refuses a command that is neither text nor a list", () => {
    expect(() =>
      parseBuildMetadata("[[processes]]\ntype = 'x'\ncommand = 1", "metadata.toml", ApiVersion.parse("0.12")),
    ).toThrow("metadata.toml:3:1: processes[0].command: expected a string, found an integer");
  });
});
