import { FormatError } from "./format-error.ts";
import { entriesOf, JsonStrings, type Writable } from "./ordered.ts";
import { MAX_TOML_DEPTH, MAX_TOML_LENGTH } from "./toml-scanner.ts";
import { TomlDateTime, type TomlTable, type TomlValue } from "./toml-value.ts";

/**
 * Reads JSON as the labels have it. Numbers without fraction and exponent are integers, to the last of 64 bits; keys
 * whose value is null are left out.
 *
 * @param label names the text in errors
 * @throws FormatError, also when the text is larger or nested deeper than TOML may be
 */
export function parseJson(text: string, label: string): TomlValue {
  if (text.length > MAX_TOML_LENGTH) {
    throw new FormatError({ file: label, what: `too large: ${text.length} characters` });
  }
  let value: unknown;
  try {
    JSON.parse(text);
    // Now that it is known to be JSON: `JSON.parse` rounds numbers and reorders keys, but strings it leaves alone.
    value = JSON.parse(
      text.replace(/"[^"\\]*(?:\\.[^"\\]*)*"|-?\d[\d.eE+-]*/g, (token) =>
        token.startsWith('"') ? `"s${token.slice(1)}` : `"n${token}"`,
      ),
    );
  } catch (error) {
    throw new FormatError({ file: label, what: `not JSON: ${error instanceof Error ? error.message : error}` });
  }
  return restore(value, label, 0) ?? Object.create(null);
}

function restore(value: unknown, label: string, depth: number): TomlValue | undefined {
  if (depth > MAX_TOML_DEPTH) {
    throw new FormatError({ file: label, what: `nested too deep: at most ${MAX_TOML_DEPTH} levels are read` });
  }
  if (typeof value === "string") {
    return value.startsWith("s") ? value.slice(1) : parseNumber(value.slice(1), label);
  }
  if (typeof value === "boolean") {
    return value;
  }
  if (Array.isArray(value)) {
    return value.map((element) => {
      const restored = restore(element, label, depth + 1);
      if (restored === undefined) {
        throw new FormatError({ file: label, what: "null in an array" });
      }
      return restored;
    });
  }
  if (typeof value === "object" && value !== null) {
    const table: Record<string, TomlValue> = Object.create(null);
    for (const [key, element] of Object.entries(value)) {
      const restored = restore(element, label, depth + 1);
      if (restored !== undefined) {
        table[key.slice(1)] = restored;
      }
    }
    return table satisfies TomlTable;
  }
  return undefined;
}

function parseNumber(text: string, label: string): bigint | number {
  const value = Number(text);
  if (!Number.isFinite(value)) {
    throw new FormatError({ file: label, what: `number out of range: ${text.slice(0, 40)}` });
  }
  if (/[.eE]/.test(text) || text.length > 20) {
    return value;
  }
  const integer = BigInt(text);
  return integer === BigInt.asIntN(64, integer) ? integer : value;
}

/**
 * Writes JSON byte for byte as Go's encoding/json does: no spaces, `<`, `>` and `&` escaped.
 *
 * @throws RangeError for an infinite float or NaN, which JSON does not have
 */
export function formatJson(value: Writable): string {
  if (value === null || value === undefined) {
    return "null";
  }
  switch (typeof value) {
    case "string":
      return quoteJson(value);
    case "number":
      if (!Number.isFinite(value)) {
        throw new RangeError(`JSON has no ${value}`);
      }
      return Object.is(value, -0) ? "-0" : String(value);
    case "bigint":
    case "boolean":
      return String(value);
  }
  if (value instanceof TomlDateTime) {
    return quoteJson(value.toJSON());
  }
  if (value instanceof JsonStrings) {
    return formatJson(value.strings);
  }
  if (Array.isArray(value)) {
    return `[${value.map(formatJson).join(",")}]`;
  }
  const entries = entriesOf(value as Parameters<typeof entriesOf>[0]);
  return `{${entries.map(([key, element]) => `${quoteJson(key)}:${formatJson(element)}`).join(",")}}`;
}

/** A JSON string as Go writes it. */
export function quoteJson(text: string): string {
  return JSON.stringify(toWellFormed(text)).replace(
    /[<>&\u2028\u2029]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** Replaces halves of surrogate pairs, which UTF-8 cannot hold. */
export function toWellFormed(text: string): string {
  return text.replace(/\p{Surrogate}/gu, "\ufffd");
}
