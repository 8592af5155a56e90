import { describe, expect, it } from "vitest";
import { FormatError } from "./format-error.ts";
import { formatJson, parseJson } from "./json.ts";
import { parseToml } from "./toml.ts";

describe("formatJson", () => {
  it("writes the bytes that Go writes for the same TOML", () => {
    const table = parseToml(
      String.raw`
big = 9007199254740993
f = 1.0
f2 = 1e21
f3 = 1e-7
f4 = -0.0
ldt = 1979-05-27T07:32:00.999
lt = 07:32:00.5
s = "<a> & \u2028 \u007f \u0001 \b\f\n é 😀 \"\\"
empty = []
t = {b = [1.5, {}], a = {}}
"😀" = 4
"\ufffd" = 5
`,
      "in.toml",
    );
    expect(formatJson(table)).toBe(
      String.raw`{"big":9007199254740993,"empty":[],"f":1,"f2":1e+21,"f3":1e-7,"f4":-0,"ldt":"1979-05-27T07:32:00.999Z","lt":"0000-01-01T07:32:00.5Z","s":"\u003ca\u003e \u0026 \u2028 ${"\x7f"} \u0001 \b\f\n é 😀 \"\\","t":{"a":{},"b":[1.5,{}]},"${"\ufffd"}":5,"😀":4}`,
    );
  });

  it("refuses what JSON does not have", () => {
    expect(() => formatJson({ a: Number.NaN })).toThrow("JSON has no NaN");
  });
});

describe("parseJson", () => {
  it("keeps integers and names that objects inherit", () => {
    const value = parseJson(
      '{"n":9007199254740993,"f":1.0,"x":-5,"__proto__":{"constructor":"1"},"s":"\\"2\\", 3","z":null}',
      "l",
    );
    expect(formatJson(value)).toBe(
      '{"__proto__":{"constructor":"1"},"f":1,"n":9007199254740993,"s":"\\"2\\", 3","x":-5}',
    );
  });

  it.each(["", "{", "[1,]", "{'a':1}", "01", '{"a":1} x', "[null]", "1e999", "[".repeat(200), "[".repeat(1_000_000)])(
    "refuses %.20s",
    (text) => expect(() => parseJson(text, "label")).toThrow(FormatError),
  );
});
