import { FormatError } from "./format-error.ts";
import { parseJson } from "./json.ts";
import { parseToml } from "./toml.ts";
import { type PathStep, placeOf, scanToml } from "./toml-scanner.ts";
import { isArray, isTable, type TomlTable, type TomlValue } from "./toml-value.ts";

/** Where a value comes from, for messages. */
interface Source {
  readonly file: string;
  /** The TOML text, in which places can be looked up. */
  readonly toml?: string;
}

/**
 * Typed access to a table. Every method takes the spec's key and throws a {@link FormatError} that names the place when
 * the value is of another type. As for the reference lifecycle, a key that differs only in case stands in for a missing
 * one, and keys that nobody asks for are ignored.
 */
export class Reader {
  readonly #table: TomlTable;
  readonly #source: Source;
  readonly #path: readonly PathStep[];

  constructor(table: TomlTable, source: Source, path: readonly PathStep[] = []) {
    this.#table = table;
    this.#source = source;
    this.#path = path;
  }

  /** Whether the key is there, in just this case. */
  has(key: string): boolean {
    return Object.hasOwn(this.#table, key);
  }

  /** The keys of this table as they are written. */
  keys(): readonly string[] {
    return Object.keys(this.#table);
  }

  /** The text; empty if there is none. */
  string(key: string): string {
    return this.optionalString(key) ?? "";
  }

  /** The text, if there is one and it is not empty. */
  optionalString(key: string): string | undefined {
    const value = this.value(key);
    if (value !== undefined && typeof value !== "string") {
      throw this.#mismatch(key, "a string", value);
    }
    return value === "" ? undefined : value;
  }

  boolean(key: string): boolean {
    return this.optionalBoolean(key) ?? false;
  }

  optionalBoolean(key: string): boolean | undefined {
    const value = this.value(key);
    if (value !== undefined && typeof value !== "boolean") {
      throw this.#mismatch(key, "true or false", value);
    }
    return value;
  }

  /** An integer that a number holds exactly. */
  optionalInteger(key: string): number | undefined {
    const value = this.value(key);
    if (value === undefined) {
      return undefined;
    }
    if (typeof value !== "bigint" || !Number.isSafeInteger(Number(value))) {
      throw this.#mismatch(key, "an integer below 2^53", value);
    }
    return Number(value);
  }

  /** An array of strings; empty if there is none. */
  strings(key: string): readonly string[] {
    return this.optionalStrings(key) ?? [];
  }

  optionalStrings(key: string): readonly string[] | undefined {
    return this.#array(key)?.map((element, index) => {
      if (typeof element !== "string") {
        throw this.#mismatch(key, "a string", element, index);
      }
      return element;
    });
  }

  /** As {@link strings}; a table in place of a string stands for its `name`. */
  names(key: string): readonly string[] {
    return (
      this.#array(key)?.map((element, index) => {
        const name = isTable(element) ? element.name : element;
        if (typeof name !== "string") {
          throw this.#mismatch(key, "a string, or a table with a name", element, index);
        }
        return name;
      }) ?? []
    );
  }

  /** An array of tables, each as `read` makes it; empty if there is none. */
  tables<T>(key: string, read: (reader: Reader) => T): readonly T[] {
    return this.optionalTables(key, read) ?? [];
  }

  optionalTables<T>(key: string, read: (reader: Reader) => T): readonly T[] | undefined {
    return this.#array(key)?.map((element, index) => {
      if (!isTable(element)) {
        throw this.#mismatch(key, "a table", element, index);
      }
      return read(new Reader(element, this.#source, [...this.#path, this.#keyOf(key) ?? key, index]));
    });
  }

  /** A table; an empty one if there is none. */
  table(key: string): Reader {
    return this.optionalTable(key) ?? new Reader({}, this.#source, [...this.#path, key]);
  }

  optionalTable(key: string): Reader | undefined {
    const table = this.freeTable(key);
    return table && new Reader(table, this.#source, [...this.#path, this.#keyOf(key) ?? key]);
  }

  /** The keys of this table, and a reader for each, which must be a table. */
  entries(): readonly (readonly [key: string, reader: Reader])[] {
    return Object.keys(this.#table).map((key) => [key, this.table(key)]);
  }

  /** A table whose content is up to its writer. */
  freeTable(key: string): TomlTable | undefined {
    const value = this.value(key);
    if (value !== undefined && !isTable(value)) {
      throw this.#mismatch(key, "a table", value);
    }
    return value;
  }

  /** Whatever is there. */
  value(key: string): TomlValue | undefined {
    const found = this.#keyOf(key);
    return found === undefined ? undefined : this.#table[found];
  }

  /** An error about the value at `path` below this table. */
  error(what: string, path: readonly PathStep[], hint?: string): FormatError {
    const fullPath = [...this.#path, ...path];
    return new FormatError({
      file: this.#source.file,
      ...(this.#source.toml !== undefined && locate(this.#source.toml, this.#source.file, fullPath)),
      what: fullPath.length === 0 ? what : `${showPath(fullPath)}: ${what}`,
      ...(hint !== undefined && { hint }),
    });
  }

  #keyOf(key: string): string | undefined {
    if (Object.hasOwn(this.#table, key)) {
      return key;
    }
    return Object.keys(this.#table).find((candidate) => candidate.toLowerCase() === key.toLowerCase());
  }

  #array(key: string): readonly TomlValue[] | undefined {
    const value = this.value(key);
    if (value !== undefined && !isArray(value)) {
      throw this.#mismatch(key, "an array", value);
    }
    return value;
  }

  #mismatch(key: string, expected: string, value: TomlValue, index?: number): FormatError {
    const path = [this.#keyOf(key) ?? key, ...(index === undefined ? [] : [index])];
    return this.error(`expected ${expected}, found ${nameOfType(value)}`, path);
  }
}

/** @throws FormatError */
export function readToml(text: string, file: string): Reader {
  return new Reader(parseToml(text, file), { file, toml: text });
}

/**
 * @param label names the text in errors
 * @throws FormatError
 */
export function readJson(text: string, label: string): Reader {
  const value = parseJson(text, label);
  if (!isTable(value)) {
    throw new FormatError({ file: label, what: `expected a JSON object, found ${nameOfType(value)}` });
  }
  return new Reader(value, { file: label });
}

function nameOfType(value: TomlValue): string {
  switch (typeof value) {
    case "string":
      return "a string";
    case "bigint":
      return "an integer";
    case "number":
      return "a float";
    case "boolean":
      return "a boolean";
    default:
      return isArray(value) ? "an array" : isTable(value) ? "a table" : "a date or time";
  }
}

function showPath(path: readonly PathStep[]): string {
  return path.map((step, index) => (typeof step === "number" ? `[${step}]` : index === 0 ? step : `.${step}`)).join("");
}

/** The place of the deepest part of the path that the text spells out. */
function locate(toml: string, file: string, path: readonly PathStep[]): { line: number; column: number } {
  let found = 0;
  let depth = 0;
  scanToml(toml, file, (visited, offset) => {
    const common = visited.findIndex((step, index) => step !== path[index]);
    const matching = common < 0 ? visited.length : common;
    if (matching > depth) {
      depth = matching;
      found = offset;
    }
  });
  return placeOf(toml, found);
}
