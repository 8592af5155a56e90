import "./global.ts";
import parseString from "@iarna/toml/parse-string";
import { FormatError } from "./format-error.ts";
import { placeOf, type ScannedToml, scanToml } from "./toml-scanner.ts";
import type { TomlTable, TomlValue } from "./toml-value.ts";

/**
 * Reads a TOML document. What TOML 1.1 allows and the reference lifecycle accepts is accepted: a byte-order mark, arrays
 * of mixed types, newlines in inline tables.
 *
 * The library is kept away from what it reads wrongly: see {@link scanToml}.
 *
 * @param file names the text in errors
 * @throws FormatError, with line and column, also when the text is larger or nested deeper than the limits
 */
export function parseToml(text: string, file: string): TomlTable {
  const scanned = scanToml(text, file);
  return restoreTable(runLibrary(scanned, text, file), scanned.scalars);
}

function runLibrary(scanned: ScannedToml, text: string, file: string): object {
  try {
    return parseString(scanned.text);
  } catch (error) {
    if (!(error instanceof Error && "pos" in error && typeof error.pos === "number")) {
      throw error;
    }
    // The message goes on with the place and an excerpt of the text that the library was given.
    const what = error.message
      .replace(/ at row \d+.*$/s, "")
      .replace(
        /^Unknown escape character: (\d+)$/,
        (_, code) => `unknown escape \\${String.fromCodePoint(Number(code))}`,
      );
    let offset = scanned.originalOffset(Math.max(0, error.pos - 1));
    if (what.includes("redefine") || what.includes("extend")) {
      offset = scanned.lastKeyBefore(offset);
    }
    throw new FormatError({ file, ...placeOf(text, offset), what });
  }
}

function restoreTable(table: object, scalars: ScannedToml["scalars"]): TomlTable {
  const restored: Record<string, TomlValue> = Object.create(null);
  for (const [key, value] of Object.entries(table)) {
    restored[key.slice(1)] = restore(value, scalars);
  }
  return restored;
}

function restore(value: unknown, scalars: ScannedToml["scalars"]): TomlValue {
  if (typeof value === "string" || typeof value === "boolean") {
    return value;
  }
  if (Array.isArray(value)) {
    return value.map((element) => restore(element, scalars));
  }
  if (typeof value === "object" && value !== null) {
    return restoreTable(value, scalars);
  }
  const scalar = scalars[Number(value)];
  if (scalar === undefined) {
    throw new TypeError(`the TOML library returned ${String(value)}`);
  }
  return scalar;
}
