import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { readFromArchive } from "./archive.ts";
import { zipDirectory } from "./test-zip.ts";

let dir: string;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "archive-"));
  mkdirSync(join(dir, "app/nested"), { recursive: true });
  writeFileSync(join(dir, "app/nested/project.toml"), "nested");
  writeFileSync(join(dir, "app/a-first-file"), "x".repeat(100_000));
});

afterEach(() => rmSync(dir, { recursive: true, force: true }));

const formats: Record<string, (file: string, app: string) => void> = {
  "tar of a directory": (file, app) => execFileSync("tar", ["-cf", file, "-C", app, "."]),
  "tar of its files": (file, app) => execFileSync("sh", ["-c", 'cd "$1" && tar -czf "$2" *', "sh", app, file]),
  zip: zipDirectory,
};

const read = (maxSize = 100) =>
  readFromArchive(join(dir, "archive"), { name: "project.toml", maxSize }, { maxBytes: 1 << 20, maxEntries: 100 });

describe.each(Object.entries(formats))("one file of an archive: %s", (_, write) => {
  it("is read wherever it comes", async () => {
    writeFileSync(join(dir, "app/project.toml"), "content");
    write(join(dir, "archive"), join(dir, "app"));
    expect((await read())?.toString()).toBe("content");
  });

  it("is not one of its name elsewhere, a link, or one that is too long", async () => {
    write(join(dir, "archive"), join(dir, "app"));
    expect(await read()).toBeUndefined();
    writeFileSync(join(dir, "app/project.toml"), "content");
    write(join(dir, "archive"), join(dir, "app"));
    expect(await read(3)).toBeUndefined();
    rmSync(join(dir, "app/project.toml"));
    symlinkSync("nested/project.toml", join(dir, "app/project.toml"));
    write(join(dir, "archive"), join(dir, "app"));
    expect(await read()).toBeUndefined();
  });
});

it("reads no further than the limits", async () => {
  writeFileSync(join(dir, "app/large"), "x".repeat(2 << 20));
  execFileSync("tar", ["-cf", join(dir, "archive"), "-C", join(dir, "app"), "large"]);
  await expect(read()).rejects.toMatchObject({ code: "refused" });
});
