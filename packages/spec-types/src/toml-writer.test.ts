import { describe, expect, it } from "vitest";
import { parseToml } from "./toml.ts";
import { TomlDateTime, type TomlTable, type TomlValue } from "./toml-value.ts";
import { formatToml } from "./toml-writer.ts";

describe("formatToml", () => {
  it("writes what the reference lifecycle writes for the same values", () => {
    const table = parseToml(
      `
int = 1_000_000
big = 9007199254740993
f = 1.0
f2 = 1e21
f3 = 1e-7
f4 = 1234567.5
odt = 1979-05-27T00:32:00.500-07:00
lt = 07:32
s = "<a> \\"c\\" \\u2028 \\u007f \\u0001 \\u0002 \\b\\f\\n\\t é 😀"
empty = []
arr = [1, 2.5, "x", [1, [2]], {a = 1, b = {c = [ {d = 1} ]}}, true]
tables = [{a=1},{b=2}]
"key with space" = 1
"" = 2
"😀" = 4
"\\ufffd" = 5
"10" = "ten"
"9" = "nine"
[sub]
[sub.deeper."quo.ted"]
x = 1
[[aot]]
[[aot]]
y = 1
  [[aot.inner]]
  z = [[{a=1}], [{b=2}]]
`,
      "in.toml",
    );
    expect(formatToml(table)).toBe(String.raw`"" = 2
10 = "ten"
9 = "nine"
arr = [1, 2.5, "x", [1, [2]], {a = 1, b = {c = [{d = 1}]}}, true]
big = 9007199254740993
empty = []
f = 1.0
f2 = 1e+21
f3 = 1e-07
f4 = 1.2345675e+06
int = 1000000
"key with space" = 1
lt = 07:32:00
odt = 1979-05-27T00:32:00.5-07:00
s = "<a> \"c\" ${"\u2028"} \u007f \u0001 \u0002 \b\f\n\t é 😀"
"${"\ufffd"}" = 5
"😀" = 4

[[aot]]

[[aot]]
  y = 1

  [[aot.inner]]
    z = [[{a = 1}], [{b = 2}]]

[sub]
  [sub.deeper]
    [sub.deeper."quo.ted"]
      x = 1

[[tables]]
  a = 1

[[tables]]
  b = 2
`);
  });

  it("is read back equal, whatever is in it", () => {
    const random = generator(20_240_229);
    for (let round = 0; round < 300; round++) {
      const table = randomTable(random, 0);
      expect(parseToml(formatToml(table), "out.toml")).toEqual(table);
    }
  });
});

type Random = (below: number) => number;

function generator(seed: number): Random {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

function randomTable(random: Random, depth: number): TomlTable {
  return Object.fromEntries(
    Array.from({ length: random(5) }, () => [randomString(random), randomValue(random, depth + 1)]),
  );
}

function randomValue(random: Random, depth: number): TomlValue {
  switch (random(depth > 3 ? 5 : 8)) {
    case 0:
      return randomString(random);
    case 1:
      return BigInt.asIntN(64, BigInt(random(2 ** 32)) * BigInt(random(2 ** 32)) * 7n);
    case 2:
      return (random(2 ** 32) - 2 ** 31) * 10 ** (random(40) - 20);
    case 3:
      return random(2) === 1;
    case 4:
      return new TomlDateTime(
        "offset-date-time",
        `20${10 + random(80)}-0${1 + random(9)}-1${random(9)}T00:00:0${random(9)}Z`,
      );
    case 5:
      return Array.from({ length: random(4) }, () => randomTable(random, depth));
    case 6:
      return Array.from({ length: random(4) }, () => randomValue(random, depth + 1));
    default:
      return randomTable(random, depth);
  }
}

function randomString(random: Random): string {
  const alphabet = [
    "a",
    "B",
    "-",
    "_",
    ".",
    " ",
    '"',
    "'",
    "\\",
    "\n",
    "\r",
    "\t",
    "\0",
    "\x1b",
    "\x7f",
    "#",
    "=",
    "é",
    "\u2028",
    "😀",
  ];
  return Array.from({ length: random(7) }, () => alphabet[random(alphabet.length)]).join("");
}
