import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ignoreRules } from "./ignore-file.ts";
import { hashSources, SourceTree } from "./source-tree.ts";

describe("a source of files", () => {
  it("finds nothing that is left out, also by symlinks", () => {
    const directory = mkdtempSync(join(tmpdir(), "source-tree-"));
    try {
      mkdirSync(join(directory, "tree"));
      symlinkSync("tree", join(directory, "link"));
      const find = (rules: string[]) => new SourceTree(directory, "it", ignoreRules(rules)).find("link");
      expect(find([])).toHaveLength(1);
      expect(() => find(["link"])).toThrow("link is not in it, or is excluded by its ignore file");
      // A directory that is left out is there only for what is in it.
      expect(() => find(["tree", "!tree/none"])).toThrow("link is not in it");
      mkdirSync(join(directory, "tree/none"));
      expect(find(["tree", "!tree/none"])).toHaveLength(1);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});

describe("the hash of what is copied", () => {
  let directory: string;

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "source-tree-"));
  });

  afterEach(() => rmSync(directory, { recursive: true }));

  /** @param links targets of symlinks by name */
  function hashOf(name: string, links: Readonly<Record<string, string>>): Promise<string> {
    const context = join(directory, name);
    mkdirSync(join(context, "tree"), { recursive: true });
    for (const [link, target] of Object.entries(links)) symlinkSync(target, join(context, "tree", link));
    const tree = new SourceTree(context, "the build context");
    return hashSources(tree.find("tree"), new AbortController().signal);
  }

  it("tells a symlink's target from what follows it", async () => {
    const next = JSON.stringify(["b", 0o120777, 0]);
    expect(await hashOf("one", { a: "x", b: "y" })).not.toBe(await hashOf("two", { a: `x${next}y` }));
    expect(await hashOf("three", { a: "x", b: "y" })).toBe(await hashOf("four", { a: "x", b: "y" }));
  });
});
