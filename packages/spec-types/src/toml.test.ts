import { describe, expect, it } from "vitest";
import { FormatError } from "./format-error.ts";
import { parseToml } from "./toml.ts";
import { TomlDateTime } from "./toml-value.ts";

const parse = (text: string): unknown => parseToml(text, "file.toml");

const toBigInt = (_: string, value: unknown): unknown => (typeof value === "number" ? BigInt(value) : value);

function failure(text: string): string {
  try {
    parse(text);
  } catch (error) {
    if (error instanceof FormatError) {
      return error.message;
    }
    throw error;
  }
  throw new Error(`read ${text.slice(0, 100)}`);
}

describe("parseToml", () => {
  it("keeps integers and floats apart, to the last bit", () => {
    expect(
      parse("a = 1\nb = 1.0\nc = 9223372036854775807\nd = -9223372036854775808\ne = 0xdead_BEEF\nf = 1_0e2"),
    ).toEqual({
      a: 1n,
      b: 1,
      c: 9223372036854775807n,
      d: -9223372036854775808n,
      e: 0xdeadbeefn,
      f: 1000,
    });
    expect(parse("a = inf\nb = -inf\nc = nan")).toEqual({ a: Infinity, b: -Infinity, c: Number.NaN });
  });

  it.each([
    "9223372036854775808",
    "-9223372036854775809",
    "0x1_0000_0000_0000_0000",
    "9".repeat(1000),
    `0b1${"0".repeat(64)}`,
  ])("refuses an integer of more than 64 bits: %s", (integer) => {
    expect(failure(`[t]\nkey = ${integer}`)).toMatch(
      /^file\.toml:2:7: integer out of range: .* needs more than 64 bits$/,
    );
  });

  it.each(["01", "1__0", "_1", "1_", "+0x1", "1.", ".5", "1e", "1e999", "0o8", "tru", "2021-02-29", "24:00:00", "1 2"])(
    "refuses %s as a value",
    (value) => expect(failure(`key = ${value}`)).toMatch(/^file\.toml:1:[79]: /),
  );

  it("keeps a date's offset and nanoseconds", () => {
    const dates = parseToml(
      "a = 1979-05-27T00:32:00.500-07:00\nb = 1979-05-27 07:32:00.1234567891z\nc = 1979-05-27T07:32\nd = 1979-05-27\ne = 07:32:00",
      "file.toml",
    );
    expect(dates).toEqual({
      a: new TomlDateTime("offset-date-time", "1979-05-27T00:32:00.5-07:00"),
      b: new TomlDateTime("offset-date-time", "1979-05-27T07:32:00.123456789Z"),
      c: new TomlDateTime("local-date-time", "1979-05-27T07:32:00"),
      d: new TomlDateTime("local-date", "1979-05-27"),
      e: new TomlDateTime("local-time", "07:32:00"),
    });
    expect(JSON.parse(JSON.stringify(Object.values(dates)))).toEqual([
      "1979-05-27T00:32:00.5-07:00",
      "1979-05-27T07:32:00.123456789Z",
      "1979-05-27T07:32:00Z",
      "1979-05-27T00:00:00Z",
      "0000-01-01T07:32:00Z",
    ]);
  });

  it("takes names that objects inherit for keys like any other", () => {
    const table = parseToml(
      '[constructor]\na = 1\n[__proto__]\nb = 2\n[x.toString]\nc = 3\n[[hasOwnProperty]]\nd = {valueOf = 4, "__proto__" = 5}\n',
      "file.toml",
    );
    expect(Object.entries(table)).toEqual([
      ["constructor", { a: 1n }],
      ["__proto__", { b: 2n }],
      ["x", { toString: { c: 3n } }],
      ["hasOwnProperty", [{ d: JSON.parse('{"valueOf":4,"__proto__":5}', toBigInt) }]],
    ]);
    expect(parseToml("", "file.toml").toString).toBeUndefined();
  });

  it("accepts a byte-order mark, CRLF line ends, and comments in them", () => {
    expect(
      parse('\ufeff# first\r\na = 1 # one\r\n\r\n[t] # table\r\nb = [ # list\r\n 2,\r\n]\r\nc = """\r\nx"""\r\n'),
    ).toEqual({
      a: 1n,
      t: { b: [2n], c: "x" },
    });
  });

  it("accepts what TOML 1.1 added, and arrays of mixed types", () => {
    expect(parse('a = {\n  b = 1, # one\n  c.d = [1, "x", {e = 2.5,}, [true]],\n}\nf = "\\e\\x41\\u00e9"')).toEqual({
      a: { b: 1n, c: { d: [1n, "x", { e: 2.5 }, [true]] } },
      f: "\u001bAé",
    });
  });

  it("keeps dots, quotes and hashes in quoted keys and strings", () => {
    expect(parse(`a."b.c".'d "#' = 'x # "y"'\n"" = """a "quoted" \\\n   word"""""`)).toEqual({
      a: { "b.c": { 'd "#': 'x # "y"' } },
      "": 'a "quoted" word""',
    });
  });

  it.each([
    ["a = 1\nb = 2\na = 3", "3:1: Can't redefine existing key"],
    ["[a]\nx = 1\n\n[a]", "4:2: Can't redefine existing key"],
    ["a = {b = 1, b = 2}", "1:13: Can't redefine existing key"],
    ["a = []\n[[a]]", "2:3: Can't extend an inline array"],
    ["a = {}\n  [a.b]", "2:4: Can't redefine existing key"],
    ['a = "x\\q"', "1:8: unknown escape \\q"],
    ['a = "\\ud800"', "1:12: Invalid unicode, character in range 0xD800 - 0xDFFF is reserved"],
    ['a = "x\n"', '1:5: string without its closing "'],
    ["a = '''x", "1:5: string without its closing '''"],
    ["a = [1,\n2", "2:2: expected ']', found the end of the file"],
    ["a = {b = 1", "1:11: expected '}', found the end of the file"],
    ["[a\nb = 1", "1:3: expected ']', found the end of the line"],
    ["a", "1:2: expected '=', found the end of the file"],
    ["a =\n", "1:4: expected a value, found the end of the line"],
    ["ä = 1", "1:1: expected a key, found 'ä'"],
    ["a = 1 b = 2", "1:7: expected the end of the line, found 'b'"],
    ["a = 1\rb = 2", "1:6: control character U+000D; write it as an escape in a string"],
    ['a = "\0"', "1:6: control character U+0000; write it as an escape in a string"],
  ])("says where and what is wrong in %j", (text, message) => expect(failure(text)).toBe(`file.toml:${message}`));

  it.each([
    ["arrays", `a = ${"[".repeat(10_000_000)}`],
    ["inline tables", `a = ${"{a=".repeat(3_000_000)}`],
    ["dotted keys", `a${".a".repeat(5_000_000)} = 1`],
    ["a table name", `[a${".a".repeat(5_000_000)}]`],
  ])("refuses 10 MB of nested %s", (_, text) => {
    expect(failure(text)).toMatch(/^file\.toml:1:\d+: .*nested too deep; at most 128 levels are read$/);
  });

  it("refuses a text over 16 MiB, and reads one below", () => {
    expect(failure(`# ${"x".repeat(17_000_000)}`)).toMatch(/^file\.toml:1:1: too large: 17000002 characters/);
    expect(parse(`a = "${"x".repeat(10_000_000)}"`)).toHaveProperty("a.length", 10_000_000);
    expect(failure(`a = ${"9".repeat(10_000_000)}`)).toMatch(/^file\.toml:1:5: not a value: 9+…$/);
  });
});
