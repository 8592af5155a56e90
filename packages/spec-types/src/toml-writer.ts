import { quoteJson, toWellFormed } from "./json.ts";
import { entriesOf, JsonStrings, type Writable } from "./ordered.ts";
import { TomlDateTime } from "./toml-value.ts";

type Table = Parameters<typeof entriesOf>[0];

/**
 * Writes a TOML document laid out as the reference lifecycle's are, so that the files of both compare equal: keys with
 * plain values before tables, tables indented by their depth.
 *
 * The TOML library's own writer is not used: it loses all but the first control character of a string, writes
 * `1_000` and `1e+21.undefined`, drops NaN from arrays and the offset from dates.
 */
export function formatToml(document: Table): string {
  const lines: string[] = [];
  writeTable(lines, [], document);
  return lines.join("");
}

function writeTable(lines: string[], path: readonly string[], table: Table): void {
  const entries = entriesOf(table);
  const indent = "  ".repeat(path.length);
  for (const [key, value] of entries) {
    if (!isTable(value) && !isArrayOfTables(value)) {
      lines.push(`${indent}${formatKey(key)} = ${formatValue(value)}\n`);
    }
  }
  for (const [key, value] of entries) {
    const subPath = [...path, key];
    const name = subPath.map(formatKey).join(".");
    if (isTable(value)) {
      const gap = path.length === 0 && lines.length > 0 ? "\n" : "";
      lines.push(`${gap}${indent}[${name}]\n`);
      writeTable(lines, subPath, value);
    } else if (isArrayOfTables(value)) {
      for (const element of value) {
        lines.push(`${lines.length > 0 ? "\n" : ""}${indent}[[${name}]]\n`);
        writeTable(lines, subPath, element);
      }
    }
  }
}

function formatValue(value: Writable): string {
  if (isTable(value)) {
    const entries = entriesOf(value);
    const isLast = ([, element]: [string, Writable]): boolean => isTable(element) || isArrayOfTables(element);
    const ordered = [...entries.filter((entry) => !isLast(entry)), ...entries.filter(isLast)];
    return `{${ordered.map(([key, element]) => `${formatKey(key)} = ${formatValue(element)}`).join(", ")}}`;
  }
  if (Array.isArray(value)) {
    return `[${value.map(formatValue).join(", ")}]`;
  }
  switch (typeof value) {
    case "string":
      return quoteToml(value);
    case "number":
      return formatFloat(value);
  }
  if (value instanceof JsonStrings) {
    const { strings } = value;
    return typeof strings === "string" ? quoteAsJson(strings) : `[${strings.map(quoteAsJson).join(", ")}]`;
  }
  return value instanceof TomlDateTime ? value.text : String(value);
}

/** JSON leaves DEL as it is, which TOML does not allow. */
function quoteAsJson(text: string): string {
  return quoteJson(text).replaceAll("\x7f", "\\u007f");
}

function isTable(value: Writable): value is Table {
  return (
    typeof value === "object" &&
    value !== null &&
    !Array.isArray(value) &&
    !(value instanceof TomlDateTime) &&
    !(value instanceof JsonStrings)
  );
}

function isArrayOfTables(value: Writable): value is readonly Table[] {
  return Array.isArray(value) && value.length > 0 && value.every(isTable);
}

function formatKey(key: string): string {
  return /^[\w-]+$/.test(key) ? key : quoteToml(key);
}

const ESCAPES: Readonly<Record<string, string>> = {
  "\b": "\\b",
  "\t": "\\t",
  "\n": "\\n",
  "\f": "\\f",
  "\r": "\\r",
  '"': '\\"',
  "\\": "\\\\",
};

function quoteToml(text: string): string {
  const escaped = toWellFormed(text)
    // biome-ignore lint/suspicious/noControlCharactersInRegex: TOML wants them escaped
    .replace(/[\0-\x1f"\\\x7f]/g, (char) => ESCAPES[char] ?? `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`);
  return `"${escaped}"`;
}

/** As Go's `%g` with the fewest digits, and a fraction or exponent in any case. */
function formatFloat(value: number): string {
  if (!Number.isFinite(value)) {
    return Number.isNaN(value) ? "nan" : value > 0 ? "inf" : "-inf";
  }
  if (Object.is(value, -0)) {
    return "-0.0";
  }
  const [mantissa = "", exponentText = ""] = value.toExponential().split("e");
  const exponent = Number(exponentText);
  if (value !== 0 && (exponent < -4 || exponent > 5)) {
    return `${mantissa}e${exponent < 0 ? "-" : "+"}${String(Math.abs(exponent)).padStart(2, "0")}`;
  }
  const plain = String(value);
  return plain.includes(".") ? plain : `${plain}.0`;
}
