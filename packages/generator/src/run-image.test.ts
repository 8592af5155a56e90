import { ApiVersion, EMPTY_LAYERS_METADATA } from "@lifecycle/spec-types";
import { describe, expect, it } from "vitest";
import type { GeneratedDockerfile } from "./generated-dockerfile.ts";
import { chooseRunImage, withRunImage } from "./run-image.ts";

const warnings: string[] = [];
const logger = { debug() {}, info() {}, warn: (line: string) => void warnings.push(line), error() {} };

const runDockerfile = (withBase: string | undefined, extend: boolean): GeneratedDockerfile => ({
  ...{ kind: "run", extensionId: "a", path: "/a/run.Dockerfile" },
  ...{ withBase, extend },
});
const extending = runDockerfile(undefined, true);
const switching = runDockerfile("other:1", false);
const both = runDockerfile("third:2", true);
const neither = runDockerfile(undefined, false);
const build: GeneratedDockerfile = { ...extending, kind: "build" };

describe("the choice of a run image", () => {
  it.each([
    ["nothing", [], undefined, false, []],
    ["build.Dockerfiles alone", [build, build], undefined, false, []],
    ["one that extends", [extending, build], undefined, true, []],
    ["one that does nothing", [neither], undefined, false, []],
    ["one that switches", [switching, build], "other:1", false, []],
    ["one that extends what is switched later", [extending, build, switching], "other:1", false, [extending]],
    ["one that extends after a switch", [switching, extending], "other:1", true, []],
    ["one that switches and extends", [switching, neither, both], "third:2", true, [switching, neither]],
  ] as const)("of %s", (_, dockerfiles, switchTo, extend, ignored) => {
    expect(chooseRunImage(dockerfiles, logger)).toEqual({ switchTo, extend, ignored: new Set(ignored) });
  });
});

describe("analyzed.toml", () => {
  const runImage = { reference: "run@sha256:1", image: "run", target: { os: "linux", arch: "amd64" } };
  const analyzed = { layersMetadata: EMPTY_LAYERS_METADATA, runImage };
  const after = (switchTo: string | undefined, extend: boolean, api = "0.13") => {
    const run = { images: [{ image: "known/run", mirrors: ["mirror/run"] }] };
    warnings.length = 0;
    const choice = { switchTo, extend, ignored: new Set<GeneratedDockerfile>() };
    return withRunImage(analyzed, choice, run, ApiVersion.parse(api), logger).runImage;
  };

  it("keeps the run image, and says if it is to be extended", () => {
    expect(after(undefined, false)).toEqual(runImage);
    expect(after(undefined, true)).toEqual({ ...runImage, extend: true });
  });

  it("has the new run image without what was known of the old one", () => {
    expect(after("mirror/run:latest", false)).toEqual({ reference: "mirror/run:latest", image: "mirror/run:latest" });
    expect(warnings).toEqual([]);
    expect(after("other/run", true)).toEqual({ reference: "other/run", image: "other/run", extend: true });
    expect(warnings).toEqual(["new runtime base image 'other/run' not found in run metadata"]);
  });

  it("is the same for the run image that was chosen anyway; before Platform API 0.12 names were not kept", () => {
    expect(after("run", false)).toEqual(runImage);
    expect(after("run", false, "0.11")).toEqual({ reference: "run", image: "run" });
  });
});
