import { describe, expect, it } from "vitest";
import { fromLatin1, toBytePath } from "./byte-path.ts";
import { Glob, PatternError } from "./glob.ts";

function matches(pattern: string, path: string): boolean {
  return new Glob(pattern).matches(toBytePath(path));
}

describe("slice pattern", () => {
  it.each([
    ["abc", "abc"],
    ["*", "abc"],
    ["*c", "abc"],
    ["a*", "a"],
    ["a*/b", "abc/b"],
    ["a*b*c*d*e*/f", "axbxcxdxe/f"],
    ["a*b?c*x", "abxbbxdbxebxczzx"],
    ["ab[b-d]", "abc"],
    ["ab[^e-g]", "abc"],
    ["[^a]", "/"],
    ["[a-ζ]*", "α"],
    ["a?b", "a☺b"],
    ["a[^a]b", "a☺b"],
    ["[\\]a]", "]"],
    ["[x\\-]", "-"],
    ["a\\*b", "a*b"],
    ["*.js", ".js"],
    ["./static/../public/", "public"],
    ["日本/*", "日本/語"],
  ])("%s matches %s", (pattern, path) => {
    expect(matches(pattern, path)).toBe(true);
  });

  it.each([
    ["a*", "ab/c"],
    ["*", "a/b"],
    ["a?b", "a/b"],
    ["a*b*c*d*e*/f", "axbxcxdxe/xxx/f"],
    ["a*b?c*x", "abxbbxdbxebxczzy"],
    ["ab[^b-d]", "abc"],
    ["*x", "xxy"],
    ["a", "ab"],
    ["/a", "a"],
    ["public", "public/x"],
    ["**", "a/b"],
    ["a???b", "a☺b"],
  ])("%s does not match %s", (pattern, path) => {
    expect(matches(pattern, path)).toBe(false);
  });

  it.each([
    ["[]a]", "]"],
    ["[^]a]", "b"],
    ["[-]", "-"],
    ["[x-]", "x"],
    ["[a-b-c]", "a"],
    ["[", "a"],
    ["[^", "a"],
    ["[^bc", "a"],
    ["a[", "ab"],
    ["*[", "a"],
    ["a\\", "a"],
  ])("%s is malformed", (pattern, path) => {
    expect(() => matches(pattern, path)).toThrow(PatternError);
  });

  it("is not found malformed where matching fails before", () => {
    expect(matches("b*[", "abc")).toBe(false);
  });

  it("takes bytes that are not UTF-8 as one character each", () => {
    expect(new Glob("a?b").matches(fromLatin1("a\xffb"))).toBe(true);
    expect(new Glob("a?b").matches(fromLatin1("a\xff\xfeb"))).toBe(false);
    expect(new Glob("a??b").matches(fromLatin1("a\xe9\xffb"))).toBe(true);
  });

  it("is not slowed down by many stars", () => {
    const started = performance.now();
    expect(matches(`${"*a".repeat(100)}b`, "a".repeat(4000))).toBe(false);
    expect(performance.now() - started).toBeLessThan(2000);
  });
});
