import { describe, expect, it } from "vitest";
import { ignoreRules } from "./ignore-file.ts";

describe("an ignore file", () => {
  it.each([
    [["node_modules"], ["node_modules", "node_modules/a/b"], ["src/node_modules", "node_modules2"]],
    [["*.log"], ["a.log"], ["dir/a.log", "a.log2"]],
    [["**/*.log"], ["a.log", "dir/deep/a.log"], ["a.txt"]],
    [["/a/", "./b/../c"], ["a/x", "c"], ["b"]],
    [["a/**"], ["a/b", "a/b/c"], ["a", "b/a"]],
    [["a?[0-9]"], ["ab1"], ["a/1", "abc"]],
    [["# no pattern", "", "  x  "], ["x"], ["# no pattern"]],
    [
      ["*", "!keep"],
      ["a", "b/keep"],
      ["keep", "keep/x"],
    ],
    [["!keep", "*"], ["keep"], []],
    [["a+b.(c)"], ["a+b.(c)"], ["aab.c"]],
    [["**.md"], ["a.md", "a/b.md", ".md"], ["a.md2"]],
    [["[a\\]b]"], ["]", "a", "b"], ["\\", "a]b]"]],
    [["[a"], ["[a"], ["a"]],
  ])("with %j", (lines, out, kept) => {
    const rules = ignoreRules(lines);
    for (const path of out) expect([path, rules.leavesOut(path)]).toEqual([path, true]);
    for (const path of kept) expect([path, rules.leavesOut(path)]).toEqual([path, false]);
  });

  it("is matched in no time, whoever wrote it", () => {
    const started = performance.now();
    for (const pattern of [`${"*a".repeat(40)}b`, `${"**/a*".repeat(40)}b`]) {
      expect(ignoreRules([pattern]).leavesOut("a".repeat(255))).toBe(false);
    }
    expect(performance.now() - started).toBeLessThan(2000);
  });

  it("has sets that are sets", () => {
    expect(() => ignoreRules(["a[z-a]"])).toThrow("a[z-a]: [z-a] ends before it begins");
    expect(ignoreRules(["[\\d]"]).leavesOut("d")).toBe(true);
    expect(ignoreRules(["[\\d]"]).leavesOut("1")).toBe(false);
  });

  it("says where exceptions may be", () => {
    const rules = ignoreRules(["*", "!a/b/c"]);
    expect(rules.hasExceptionsBelow("a")).toBe(true);
    expect(rules.hasExceptionsBelow("b")).toBe(false);
  });
});
