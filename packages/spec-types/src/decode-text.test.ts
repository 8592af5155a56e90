import { expect, it } from "vitest";
import { decodeText } from "./decode-text.ts";

const decode = (...parts: (string | readonly number[])[]): string =>
  decodeText(Buffer.concat(parts.map((part) => Buffer.from(part as string))), "order.toml");

it("reads UTF-8 as it is, byte-order mark and replacement characters included", () => {
  const text = '\ufeffname = "gr\u00fc\u00dfe \ufffd\ufffd \u{1f600}"\n';
  expect(decode(text)).toBe(text);
});

it.each([
  ["Latin-1", ['a = 1\nname = "gr', [0xfc], '"\n'], "order.toml:2:11: byte 0xFC is not valid UTF-8"],
  ["after a real replacement character", ["\ufffd", [0x80]], "order.toml:1:2: byte 0x80 is not valid UTF-8"],
  ["a surrogate", [[0xed, 0xa0, 0x80]], "order.toml:1:1: byte 0xED is not valid UTF-8"],
  ["a character cut off at the end", ["x", [0xe2, 0x82]], "order.toml:1:2: byte 0xE2 is not valid UTF-8"],
])("names the place of what is not: %s", (_, parts, message) => {
  expect(() => decode(...parts)).toThrow(message);
});
