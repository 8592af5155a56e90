import { describe, expect, it } from "vitest";
import { expandText, expandWord, expandWords } from "./expand.ts";

const values: Record<string, string> = { A: "value", EMPTY: "", TWO: "two  words", Q: `"q"`, ÄB1: "umlaut", B: "b" };
values.PATHY = "a/b/c.tar.gz";
values.STAR = "*a*b*";
const lookup = (name: string) => (Object.hasOwn(values, name) ? values[name] : undefined);
const word = (text: string, escapeToken = "\\") => expandWord(text, lookup, escapeToken);

describe("expansion", () => {
  it.each([
    ["$A", "value"],
    [`\${A}b`, "valueb"],
    ["$Ab", ""],
    ["$A.b", "value.b"],
    ["$", "$"],
    ["$ A", "$ A"],
    ["a$", "a$"],
    ["$1a", "a"],
    [`\${EMPTY:-x}`, "x"],
    [`\${EMPTY-x}`, ""],
    [`\${UNSET-x}`, "x"],
    [`\${A:-x}`, "value"],
    [`\${A:+x}`, "x"],
    [`\${EMPTY:+x}`, ""],
    [`\${EMPTY+x}`, "x"],
    [`\${UNSET+x}`, ""],
    [`\${A:?needed}`, "value"],
    [`\${UNSET:-\${A}-\${EMPTY:-deep}}`, "value-deep"],
    [`\${UNSET:-"}"}`, "}"],
    [`"a b" 'c $A' d`, "a b c $A d"],
    [`"$A '$A' \\"$A\\" \\a"`, `value 'value' "value" \\a`],
    ["\\$A \\\\ \\a", "$A \\ a"],
    ["$Q", `"q"`],
    ["it''s", "its"],
    [`\${ÄB1}$Ä.`, "umlaut."],
    ["$012x", "x"],
    [`\${PATHY#*/}`, "b/c.tar.gz"],
    [`\${PATHY##*/}`, "c.tar.gz"],
    [`\${PATHY%.*}`, "a/b/c.tar"],
    [`\${PATHY%%.*}`, "a/b/c"],
    [`\${PATHY#b}`, "a/b/c.tar.gz"],
    [`\${PATHY%%?}`, "a/b/c.tar.g"],
    [`\${PATHY/\\//_}`, "a_b/c.tar.gz"],
    [`\${PATHY//\\//_}`, "a_b_c.tar.gz"],
    [`\${PATHY/.*/}`, "a/b/c"],
    [`\${PATHY//[a-z]/x}`, "a/b/c.tar.gz"],
    [`\${PATHY#*}`, "a/b/c.tar.gz"],
    [`\${PATHY##*}`, ""],
    [`\${PATHY//*.t?r/x}`, "x.gz"],
    [`\${PATHY//?\\//-}`, "--c.tar.gz"],
    [`\${PATHY//*/x}`, "x"],
    [`\${STAR%\\*}`, "*a*b"],
    [`\${STAR//\\*/$A}`, "valueavaluebvalue"],
    [`\${UNSET#x}\${UNSET/a/b}`, ""],
    [`"\${PATHY#a/\${B}}"`, "/c.tar.gz"],
  ])("of %j gives %j", (text, expected) => {
    expect(word(text)).toBe(expected);
  });

  it("looks for patterns in time that grows with the text, however they are made", () => {
    const long = "a".repeat(100_000);
    expect(expandWord(`\${x//a*?*b/}`, () => long, "\\")).toBe(long);
  });

  it("takes the escape character of the Dockerfile", () => {
    expect(word('c:\\dir `$A `` "`""', "`")).toBe('c:\\dir $A ` "');
  });

  it.each([
    [`\${UNSET:?it must be}`, "UNSET: it must be"],
    [`\${UNSET?}`, "UNSET: is not allowed to be unset"],
    [`\${A`, "unsupported or malformed substitution"],
    [`\${A:-x`, "lacks its '}'"],
    [`\${A:%x}`, "unsupported or malformed substitution"],
    [`\${A^x}`, "unsupported or malformed substitution"],
    [`\${A#x`, "lacks its '}'"],
    [`\${A/x}`, "lacks its '/'"],
    [`\${A#\\x}`, "invalid pattern"],
    [`\${}`, "unsupported or malformed substitution"],
    [`'open`, "looking for matching quote"],
    [`"open`, "looking for matching quote"],
    [`"open\\`, "looking for matching quote"],
  ])("refuses %j", (text, message) => {
    expect(() => word(text)).toThrow(message);
  });

  it("divides into words at spaces outside of quotes, those of values too", () => {
    expect(expandWords(`$TWO "$TWO" '' a\\ b $EMPTY`, lookup, "\\")).toEqual(["two", "words", "two  words", "", "a b"]);
  });

  it("leaves quotes alone in a heredoc's body, where a backslash takes any character as it is", () => {
    expect(expandText(`"$A" '$A' it's \\$A \\\\n \\n`, lookup)).toBe(`"value" 'value' it's $A \\n n`);
  });
});
