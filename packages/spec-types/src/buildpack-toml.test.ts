import { describe, expect, it } from "vitest";
import { buildpackTargets, parseBuildpackDescriptor, type Target } from "./buildpack-toml.ts";
import { extensionTargets, parseExtensionDescriptor } from "./extension-toml.ts";

describe("buildpack.toml", () => {
  it("names execution environments as the reference or as the spec does", () => {
    const execEnvOf = (text: string) => parseBuildpackDescriptor(`[buildpack]\n${text}`, "f").buildpack.execEnv;
    expect(execEnvOf('exec-env = ["test", "production"]')).toEqual(["test", "production"]);
    expect(execEnvOf('[[buildpack.exec-env]]\nname = "test"\n[[buildpack.exec-env]]\nname = "*"')).toEqual([
      "test",
      "*",
    ]);
    expect(() => execEnvOf("[[buildpack.exec-env]]\nid = 'test'")).toThrow(
      "f:2:3: buildpack.exec-env[0]: expected a string, or a table with a name",
    );
  });

  it("is read whole", () => {
    const text = `api = "0.10"
[buildpack]
id = "some/bp"
name = "Some"
version = "1"
homepage = "h"
clear-env = true
sbom-formats = ["application/spdx+json"]
exec-env = ["test"]
keywords = ["ignored"]
[[targets]]
os = "linux"
arch = "arm64"
arch-variant = "v8"
[[targets.distros]]
name = "debian"
version = "12"
[[order]]
[[order.group]]
id = "x"
version = "2"
optional = true
`;
    expect(parseBuildpackDescriptor(text, "buildpack.toml")).toEqual({
      api: "0.10",
      buildpack: {
        id: "some/bp",
        name: "Some",
        version: "1",
        homepage: "h",
        clearEnv: true,
        sbomFormats: ["application/spdx+json"],
        execEnv: ["test"],
      },
      targets: [{ os: "linux", arch: "arm64", archVariant: "v8", distros: [{ name: "debian", version: "12" }] }],
      order: [{ group: [{ id: "x", version: "2", optional: true }] }],
      stacks: [],
    });
  });

  it.each(["variant", "arch-variant"])("names the architecture's variant with %s", (key) => {
    const text = `targets = [{os = "linux", arch = "arm64", ${key} = "v8"}]`;
    expect(parseBuildpackDescriptor(text, "buildpack.toml").targets).toEqual([
      { os: "linux", arch: "arm64", archVariant: "v8" },
    ]);
  });

  const bionic: Target = { os: "linux", arch: "amd64", distros: [{ name: "ubuntu", version: "18.04" }] };
  const any: Target = { os: "", arch: "" };
  it.each<[string, string, string[], Target[]]>([
    ["none written", "", [], []],
    ["none written, and a bin/build", "", ["build", "detect"], [{ os: "linux", arch: "" }]],
    ["any stack", "stacks = [{id = '*'}]", ["build"], [any]],
    ["the bionic stack", "stacks = [{id = 'io.buildpacks.stacks.bionic'}]", ["build"], [bionic]],
    ["bionic of several", "api = '0.9'\nstacks = [{id = 'io.buildpacks.stacks.bionic'}, {id = 'x'}]", [], []],
    [
      "bionic of several, 0.10",
      "api = '0.10'\nstacks = [{id = 'io.buildpacks.stacks.bionic'}, {id = 'x'}]",
      [],
      [bionic],
    ],
    ["one written", "stacks = [{id = '*'}]\ntargets = [{os = 'windows'}]", ["build"], [{ os: "windows", arch: "" }]],
  ])("has targets: %s", (_, text, binFiles, targets) => {
    expect(buildpackTargets(parseBuildpackDescriptor(text, "buildpack.toml"), binFiles)).toEqual(targets);
  });
});

it("extension.toml is read whole, and without programs is for any system", () => {
  const extension = parseExtensionDescriptor(
    "api = '0.9'\n[extension]\nid = 'e'\nname = 'E'\nversion = '1'",
    "extension.toml",
  );
  expect(extension).toEqual({
    api: "0.9",
    extension: { id: "e", name: "E", version: "1", clearEnv: false, execEnv: [] },
    targets: [],
  });
  expect(extensionTargets(extension, [])).toEqual([{ os: "", arch: "" }]);
  expect(extensionTargets(extension, ["generate"])).toEqual([{ os: "linux", arch: "" }]);
});
