import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { copySbomFiles } from "./copy-sbom-files.ts";

let dir: string;
let umask: number;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "sbom-"));
  umask = process.umask(0o022);
});

afterEach(() => {
  process.umask(umask);
  rmSync(dir, { recursive: true });
});

function sbomFile(name: string, layerName: string, layerType: "build" | "cache" | "launch") {
  return { buildpackId: "a/b", layerName, layerType, path: join(dir, name) };
}

it("copies each file to where its type, buildpack and layer have their place, with the mode of a new file", async () => {
  writeFileSync(join(dir, "l.sbom.cdx.json"), "layer");
  chmodSync(join(dir, "l.sbom.cdx.json"), 0o600);
  writeFileSync(join(dir, "launch.sbom.spdx.json"), "launch");
  await copySbomFiles(
    [sbomFile("l.sbom.cdx.json", "l", "cache"), sbomFile("launch.sbom.spdx.json", "", "launch")],
    join(dir, "sbom"),
  );
  expect(readFileSync(join(dir, "sbom/cache/a_b/l/sbom.cdx.json"), "utf8")).toBe("layer");
  expect(lstatSync(join(dir, "sbom/cache/a_b/l/sbom.cdx.json")).mode & 0o7777).toBe(0o644);
  expect(readFileSync(join(dir, "sbom/launch/a_b/sbom.spdx.json"), "utf8")).toBe("launch");
});

it("copies symlinks as such and directories with what is in them", async () => {
  symlinkSync("/etc/passwd", join(dir, "launch.sbom.cdx.json"));
  mkdirSync(join(dir, "build.sbom.syft.json"));
  writeFileSync(join(dir, "build.sbom.syft.json", "file"), "");
  await copySbomFiles(
    [sbomFile("launch.sbom.cdx.json", "", "launch"), sbomFile("build.sbom.syft.json", "", "build")],
    join(dir, "sbom"),
  );
  expect(readlinkSync(join(dir, "sbom/launch/a_b/sbom.cdx.json"))).toBe("/etc/passwd");
  expect(readdirSync(join(dir, "sbom/build/a_b/sbom.syft.json"))).toEqual(["file"]);
});
