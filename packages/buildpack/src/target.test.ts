import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TargetMetadata } from "@lifecycle/spec-types";
import { describe, expect, it } from "vitest";
import { BuildTarget, formatBaseTarget, formatTargets, matchesTarget, parseOsRelease, targetEnv } from "./target.ts";

const ubuntu = { name: "ubuntu", version: "24.04" };
const base = { os: "linux", arch: "amd64", distro: ubuntu };

describe("matchesTarget", () => {
  it("takes empty fields of either side as any", () => {
    expect(matchesTarget(base, { os: "", arch: "" })).toBe(true);
    expect(matchesTarget(base, { os: "linux", arch: "", archVariant: "v8" })).toBe(true);
    expect(matchesTarget({ os: "", arch: "" }, { os: "windows", arch: "arm64" })).toBe(true);
  });

  it("wants the same os, arch and variant", () => {
    expect(matchesTarget(base, { os: "windows", arch: "" })).toBe(false);
    expect(matchesTarget(base, { os: "linux", arch: "arm64" })).toBe(false);
    expect(matchesTarget({ ...base, archVariant: "v7" }, { os: "linux", arch: "amd64", archVariant: "v8" })).toBe(
      false,
    );
  });

  it("wants one of the declared distributions", () => {
    const declaring = (...distros: { name: string; version: string }[]) => ({ os: "linux", arch: "amd64", distros });
    expect(matchesTarget(base, declaring({ name: "debian", version: "12" }, ubuntu))).toBe(true);
    expect(matchesTarget(base, declaring({ name: "ubuntu", version: "" }))).toBe(true);
    expect(matchesTarget(base, declaring({ name: "ubuntu", version: "22.04" }))).toBe(false);
    expect(matchesTarget({ os: "linux", arch: "amd64" }, declaring(ubuntu))).toBe(false);
  });
});

describe("parseOsRelease", () => {
  it("reads id and version, quoted or not", () => {
    expect(parseOsRelease('NAME="Ubuntu"\nVERSION_ID="24.04"\nID=ubuntu\nID_LIKE=debian\n')).toEqual(ubuntu);
    expect(parseOsRelease("ID=arch\n")).toEqual({ name: "arch", version: "" });
  });

  it("passes over lines that are no assignment", () => {
    expect(parseOsRelease("ID\n# ID=x=y\nVERSION_ID=1\n")).toEqual({ name: "", version: "1" });
    expect(parseOsRelease("PRETTY_NAME=x\n")).toBeUndefined();
  });
});

describe("BuildTarget", () => {
  function targetWith(osRelease: string, runImageTarget: TargetMetadata | undefined) {
    const dir = mkdtempSync(join(tmpdir(), "target-"));
    const path = join(dir, "os-release");
    writeFileSync(path, osRelease);
    const lines: string[] = [];
    const log = (message: string): void => void lines.push(message);
    const target = new BuildTarget(runImageTarget, { debug: log, info: log, warn: log, error: log }, path);
    const results = [target.get(), target.get()];
    rmSync(dir, { recursive: true });
    return { target: results[0], lines };
  }

  it("takes a complete run image target as it is", () => {
    expect(targetWith("ID=debian\n", base)).toEqual({ target: base, lines: [] });
  });

  it("reads the distribution of the build image, says so once, and assumes this machine", () => {
    const { target, lines } = targetWith("ID=debian\nVERSION_ID=12\n", undefined);
    expect(target).toEqual({
      os: "linux",
      arch: process.arch === "x64" ? "amd64" : process.arch,
      distro: { name: "debian", version: "12" },
    });
    expect(lines).toEqual(["target distro name/version labels not found, reading /etc/os-release file"]);
  });

  it("does without a distribution", () => {
    expect(targetWith("", { os: "linux", arch: "arm64" }).target).toEqual({ os: "linux", arch: "arm64" });
  });
});

it("targetEnv leaves out what has no value", () => {
  expect(targetEnv({ os: "linux", arch: "arm", archVariant: "v7", distro: { name: "alpine", version: "" } })).toEqual({
    CNB_TARGET_OS: "linux",
    CNB_TARGET_ARCH: "arm",
    CNB_TARGET_ARCH_VARIANT: "v7",
    CNB_TARGET_DISTRO_NAME: "alpine",
  });
});

it("targets are shown as the files have them", () => {
  expect(formatBaseTarget({ id: "i", ...base })).toBe(
    '{"id":"i","os":"linux","arch":"amd64","distro":{"name":"ubuntu","version":"24.04"}}',
  );
  expect(formatTargets([{ os: "linux", arch: "", archVariant: "v8", distros: [ubuntu] }])).toBe(
    '[{"os":"linux","arch":"","arch-variant":"v8","distros":[{"name":"ubuntu","version":"24.04"}]}]',
  );
});
