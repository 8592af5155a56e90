import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { HeldDirectory } from "./held-directory.ts";

describe("a directory that is held", () => {
  let top: string;
  let held: HeldDirectory | undefined;

  beforeEach(() => {
    top = mkdtempSync(join(tmpdir(), "held-"));
  });

  afterEach(() => {
    held?.close();
    held = undefined;
    rmSync(top, { recursive: true });
  });

  it("stays the one that was opened when another one takes its name", () => {
    held = HeldDirectory.openOrMake(join(top, "a/b"), 0o755);
    expect(statSync(join(top, "a/b")).mode & 0o777).toBe(0o755);
    renameSync(join(top, "a/b"), join(top, "moved"));
    mkdirSync(join(top, "a/b"));
    writeFileSync(join(held.path, "file"), "");
    expect(readdirSync(join(top, "moved"))).toEqual(["file"]);
  });

  it("is no symlink, be it to a directory or to nothing", () => {
    mkdirSync(join(top, "elsewhere"));
    symlinkSync("elsewhere", join(top, "link"));
    symlinkSync("nothing", join(top, "dangling"));
    for (const name of ["link", "dangling"]) {
      expect(() => HeldDirectory.openOrMake(join(top, name), 0o755)).toThrow(/ENOTDIR|ELOOP/);
    }
    expect(existsSync(join(top, "nothing"))).toBe(false);
  });

  it("loses what is removed from it, and nothing that symlinks lead to", () => {
    mkdirSync(join(top, "held/old/deep"), { recursive: true });
    mkdirSync(join(top, "elsewhere"));
    writeFileSync(join(top, "elsewhere/kept"), "");
    writeFileSync(join(top, "held/old/deep/file"), "");
    // Archives of old bring names that are not UTF-8.
    mkdirSync(Buffer.from(`${top}/held/old/\xe9`, "latin1"));
    writeFileSync(Buffer.from(`${top}/held/old/\xe9/\xe8`, "latin1"), "");
    symlinkSync(join(top, "elsewhere"), join(top, "held/old/link"));
    symlinkSync(join(top, "elsewhere"), join(top, "held/link"));
    held = HeldDirectory.open(join(top, "held"));
    for (const name of ["old", "link", "missing"]) held.remove(name);
    expect(readdirSync(held.path)).toEqual([]);
    expect(readdirSync(join(top, "elsewhere"))).toEqual(["kept"]);
  });
});
