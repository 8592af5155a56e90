import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { toBytePath } from "@lifecycle/layers";
import { afterEach, beforeEach, expect, it } from "vitest";
import { moveTree } from "./move-tree.ts";

let top: string;

beforeEach(() => {
  top = mkdtempSync(join(tmpdir(), "move-"));
  for (const path of ["from/both/left", "from/only"]) mkdirSync(join(top, path), { recursive: true });
  chmodSync(join(top, "from/only"), 0o750);
  writeFileSync(join(top, "from/only/file"), "moved");
});

afterEach(() => rmSync(top, { recursive: true }));

it("moves a directory to where nothing is", () => {
  moveTree(toBytePath(join(top, "from")), toBytePath(join(top, "to")));
  expect(readFileSync(join(top, "to/only/file"), "utf8")).toBe("moved");
  expect(() => statSync(join(top, "from"))).toThrow("ENOENT");
});

it("joins a directory that was moved in part", () => {
  mkdirSync(join(top, "to/both/right"), { recursive: true });
  moveTree(toBytePath(join(top, "from")), toBytePath(join(top, "to")));
  for (const name of ["both/left", "both/right", "only/file"]) statSync(join(top, "to", name));
  expect(statSync(join(top, "to/only")).mode & 0o777).toBe(0o750);
  expect(() => statSync(join(top, "from"))).toThrow("ENOENT");
});
