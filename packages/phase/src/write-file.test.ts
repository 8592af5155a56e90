import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { writeFileAtomic } from "./write-file.ts";

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "write-file-"));
});

afterEach(() => {
  chmodSync(directory, 0o755);
  rmSync(directory, { recursive: true });
});

it("makes the directories on the way and leaves nothing beside the file", () => {
  const path = join(directory, "a", "b", "report.toml");
  writeFileAtomic(path, "one");
  writeFileAtomic(path, "two");
  expect(readFileSync(path, "utf8")).toBe("two");
  expect(readdirSync(join(directory, "a", "b"))).toEqual(["report.toml"]);
});

it("writes through a symlink", () => {
  const target = join(directory, "target.toml");
  writeFileSync(target, "old");
  symlinkSync("target.toml", join(directory, "link.toml"));
  writeFileAtomic(join(directory, "link.toml"), "new");
  expect(readFileSync(target, "utf8")).toBe("new");
});

it("takes no notice of what a killed process of the same number left behind", () => {
  const path = join(directory, "report.toml");
  const elsewhere = join(directory, "elsewhere");
  writeFileSync(elsewhere, "untouched");
  symlinkSync(elsewhere, `${path}.${process.pid}.tmp`);
  writeFileAtomic(path, "whole");
  expect(readFileSync(path, "utf8")).toBe("whole");
  expect(readFileSync(elsewhere, "utf8")).toBe("untouched");
  expect(readdirSync(directory).sort()).toEqual(["elsewhere", "report.toml"]);
});

it("names the path when it cannot write", () => {
  expect(() => writeFileAtomic(join(directory, "file\0"), "x")).toThrow();
  writeFileSync(join(directory, "plain"), "");
  expect(() => writeFileAtomic(join(directory, "plain", "report.toml"), "x")).toThrow(/plain/);
});
