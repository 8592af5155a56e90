import { ImageError } from "./errors.ts";
import type { JsonObject, JsonValue } from "./go-json.ts";

/**
 * Parses JSON that comes from outside.
 * @param where what the bytes are, for the message
 * @throws ImageError `invalid` if it is not a JSON object
 */
export function parseJsonObject(bytes: Uint8Array | string, where: string): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(typeof bytes === "string" ? bytes : new TextDecoder().decode(bytes));
  } catch (cause) {
    throw new ImageError("invalid", `${where}: not JSON`, { cause });
  }
  if (!isJsonObject(value)) throw new ImageError("invalid", `${where}: not a JSON object`);
  return value;
}

/** Whether a JSON value is an object: neither null nor an array. */
export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Reads the fields of one JSON object, checking the type of each. A field that is null counts as absent. */
export class JsonReader {
  readonly #object: JsonObject;
  readonly #where: string;

  /** @param where what the object is, for messages */
  constructor(object: JsonObject, where: string) {
    this.#object = object;
    this.#where = where;
  }

  /** @throws ImageError `invalid` if the field is no string */
  text(name: string): string | undefined {
    return this.#typed(name, "a string", (value) => (typeof value === "string" ? value : undefined));
  }

  /** @throws ImageError `invalid` if the field is no whole number from 0 to 2^53-1 */
  size(name: string): number | undefined {
    return this.#typed(name, "a size", (value) =>
      typeof value === "number" && Number.isSafeInteger(value) && value >= 0 ? value : undefined,
    );
  }

  /** @throws ImageError `invalid` if the field is no list of strings */
  texts(name: string): readonly string[] | undefined {
    return this.#typed(name, "a list of strings", (value) =>
      Array.isArray(value) && value.every((element) => typeof element === "string") ? value : undefined,
    );
  }

  /** @throws ImageError `invalid` if the field is no object whose values are strings */
  textMap(name: string): Readonly<Record<string, string>> | undefined {
    return this.#typed(name, "a map of strings", (value) =>
      isJsonObject(value) && Object.values(value).every((element) => typeof element === "string")
        ? (value as Readonly<Record<string, string>>)
        : undefined,
    );
  }

  /** @throws ImageError `invalid` if the field is no object */
  object(name: string): JsonObject | undefined {
    return this.#typed(name, "an object", (value) => (isJsonObject(value) ? value : undefined));
  }

  /** @throws ImageError `invalid` if the field is no list of objects */
  objects(name: string): readonly JsonObject[] | undefined {
    return this.#typed(name, "a list of objects", (value) =>
      Array.isArray(value) && value.every(isJsonObject) ? value : undefined,
    );
  }

  /** @throws ImageError `invalid` if the field is absent, or what `read` says */
  required<T>(name: string, read: (reader: JsonReader, name: string) => T | undefined): T {
    const value = read(this, name);
    if (value === undefined) throw new ImageError("invalid", `${this.#where}: ${name} is missing`);
    return value;
  }

  #typed<T>(name: string, expected: string, check: (value: JsonValue) => T | undefined): T | undefined {
    const value = Object.hasOwn(this.#object, name) ? this.#object[name] : undefined;
    if (value === undefined || value === null) return undefined;
    const checked = check(value);
    if (checked === undefined) throw new ImageError("invalid", `${this.#where}: ${name} is not ${expected}`);
    return checked;
  }
}
