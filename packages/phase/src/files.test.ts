import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { readGroup, readOrder } from "./files.ts";

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "files-"));
});

afterEach(() => {
  rmSync(directory, { recursive: true });
});

it("names the file that is not there, and the directory in its place", () => {
  const missing = join(directory, "group.toml");
  expect(() => readGroup(missing)).toThrow(`failed to read group file: open ${missing}: no such file or directory`);
  expect(() => readOrder(directory)).toThrow(`failed to read order file: read ${directory}: is a directory`);
});

it("waits for no named pipe that a buildpack left", () => {
  const pipe = join(directory, "group.toml");
  execFileSync("mkfifo", [pipe]);
  expect(() => readGroup(pipe)).toThrow(`failed to read group file: read ${pipe}: is a named pipe`);
});
