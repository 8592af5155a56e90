import { describe, expect, it } from "vitest";
import { fromByteString, toByteString } from "./byte-string.ts";

const latin1 = (text: string) => Buffer.from(text, "utf8").toString("latin1");

describe("toByteString and fromByteString", () => {
  it.each(["", "plain", "é", "߿ࠀ", "\uffff\u{10000}", "\u{10ffff}", "a\0b", "mixed é € 𝄞 text"])(
    "carry %j over and back",
    (text) => {
      expect(toByteString(text)).toBe(latin1(text));
      expect(fromByteString(latin1(text))).toBe(text);
    },
  );

  it.each([
    ["a stray continuation", "a\x80"],
    ["a cut sequence", "\xe2\x82"],
    ["a sequence cut by a letter", "\xc3a"],
    ["an overlong slash", "\xc0\xaf"],
    ["an overlong three", "\xe0\x80\xaf"],
    ["an overlong four", "\xf0\x80\x80\xaf"],
    ["a surrogate", "\xed\xa0\x80"],
    ["a point past the last", "\xf4\x90\x80\x80"],
    ["a byte that never occurs", "\xff"],
  ])("refuse %s", (_, bytes) => {
    expect(() => fromByteString(bytes)).toThrow("is not valid UTF-8");
  });
});
