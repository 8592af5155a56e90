import type { Reader } from "./decode.ts";
import type { TomlTable } from "./toml-value.ts";

/**
 * What a value of a file may be, as data: the type, the reader and the JSON Schema of the file follow from it. Every
 * `doc` is one line for who writes the file.
 */
export type Shape =
  | { readonly kind: "string"; readonly doc: string; readonly oneOf?: readonly string[]; readonly examples?: string[] }
  | { readonly kind: "strings"; readonly doc: string; readonly examples?: string[][] }
  | TableShape
  | { readonly kind: "tables"; readonly doc: string; readonly item: TableShape }
  /** A table whose content is up to its writer. */
  | { readonly kind: "free"; readonly doc: string };

/** A table with known keys. */
export interface TableShape {
  readonly kind: "table";
  readonly doc: string;
  readonly fields: Fields;
  readonly required?: readonly string[];
  /** Keys of which there may be at most one. */
  readonly exclusive?: readonly string[];
}

export interface Fields {
  readonly [key: string]: Shape;
}

/** The type of a value that has the shape. */
export type Shaped<S> = S extends { kind: "string" }
  ? string
  : S extends { kind: "strings" }
    ? readonly string[]
    : S extends { kind: "table"; fields: infer F }
      ? { readonly [K in keyof F]?: Shaped<F[K]> }
      : S extends { kind: "tables"; item: infer I }
        ? readonly Shaped<I>[]
        : S extends { kind: "free" }
          ? TomlTable
          : never;

/**
 * Reads a table. Empty strings count as missing.
 *
 * @param unknown gets the dotted path of every key that the shape does not have
 * @throws FormatError for a value of another type
 */
export function readShape<const S extends TableShape>(
  reader: Reader,
  shape: S,
  unknown: string[],
  path: readonly string[] = [],
): Shaped<S> {
  return readTable(reader, shape, unknown, path) as Shaped<S>;
}

function readTable(reader: Reader, { fields }: TableShape, unknown: string[], path: readonly string[]): object {
  const known = new Set(Object.keys(fields).map((key) => key.toLowerCase()));
  for (const key of reader.keys()) {
    if (!known.has(key.toLowerCase())) unknown.push([...path, key].join("."));
  }
  const values: Record<string, unknown> = {};
  for (const [key, shape] of Object.entries(fields)) {
    const value = readValue(reader, key, shape, unknown, [...path, key]);
    if (value !== undefined) values[key] = value;
  }
  return values;
}

function readValue(reader: Reader, key: string, shape: Shape, unknown: string[], path: readonly string[]): unknown {
  switch (shape.kind) {
    case "string":
      return reader.optionalString(key);
    case "strings":
      return reader.optionalStrings(key);
    case "free":
      return reader.freeTable(key);
    case "tables":
      return reader.optionalTables(key, (each) => readTable(each, shape.item, unknown, path));
    case "table": {
      const table = reader.optionalTable(key);
      return table && readTable(table, shape, unknown, path);
    }
  }
}

/** A JSON value. */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };

/** The shape as JSON Schema (draft 7). Keys that the shape does not have are refused, so that editors show them. */
export function jsonSchemaOf(shape: Shape): { readonly [key: string]: Json } {
  const description = shape.doc;
  switch (shape.kind) {
    case "string":
      return {
        type: "string",
        description,
        ...(shape.oneOf && { enum: shape.oneOf }),
        ...(shape.examples && { examples: shape.examples }),
      };
    case "strings":
      return {
        type: "array",
        items: { type: "string" },
        description,
        ...(shape.examples && { examples: shape.examples }),
      };
    case "free":
      return { type: "object", description };
    case "tables":
      return { type: "array", description, items: jsonSchemaOf(shape.item) };
    case "table": {
      const { fields, required = [], exclusive = [] } = shape;
      const pairs = exclusive.flatMap((one, index) => exclusive.slice(index + 1).map((other) => [one, other]));
      return {
        type: "object",
        description,
        properties: Object.fromEntries(Object.entries(fields).map(([key, each]) => [key, jsonSchemaOf(each)])),
        additionalProperties: false,
        ...(required.length > 0 && { required }),
        ...(pairs.length > 0 && { not: { anyOf: pairs.map((pair) => ({ required: pair })) } }),
      };
    }
  }
}
