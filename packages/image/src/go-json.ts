/** A value that JSON can hold. Fields that are undefined count as absent. */
export type JsonValue =
  | null
  | boolean
  | number
  | string
  | readonly JsonValue[]
  | { readonly [name: string]: JsonValue | undefined };

/** A JSON object. */
export type JsonObject = { readonly [name: string]: JsonValue | undefined };

/** The order of an object's known fields, and which of them disappear when empty. */
export type Shape = readonly Field[];

export interface Field {
  readonly name: string;
  /** Leave the field out if its value is absent, null, false, 0, "", [] or an empty map. */
  readonly omitEmpty?: boolean;
  /** The shape of the value, or of each of its elements if it is an array. Without it, objects are sorted maps. */
  readonly shape?: Shape;
}

/**
 * Writes `value` as Go's encoding/json writes the struct that `shape` stands for: no white space, fields in the
 * shape's order, map keys sorted by their UTF-8 bytes, and `<`, `>`, `&`, U+2028 and U+2029 escaped. Other tools of
 * this field write configs and manifests that way, and a digest depends on every byte.
 * Fields that the shape does not name follow in sorted order.
 */
export function goJson(value: unknown, shape?: Shape): string {
  if (value === null || value === undefined) return "null";
  if (typeof value === "string") return goString(value);
  if (typeof value === "number" || typeof value === "boolean") return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map((element) => goJson(element, shape)).join(",")}]`;

  const entries = new Map(Object.entries(value as object).filter(([, field]) => field !== undefined));
  const members: string[] = [];
  for (const field of shape ?? []) {
    const fieldValue: unknown = entries.get(field.name);
    entries.delete(field.name);
    if (field.omitEmpty && isEmpty(fieldValue, field.shape)) continue;
    members.push(`${goString(field.name)}:${goJson(fieldValue, field.shape)}`);
  }
  for (const [name, fieldValue] of [...entries].sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)))) {
    members.push(`${goString(name)}:${goJson(fieldValue)}`);
  }
  return `{${members.join(",")}}`;
}

function isEmpty(value: unknown, shape: Shape | undefined): boolean {
  if (value === undefined || value === null || value === false || value === 0 || value === "") return true;
  if (Array.isArray(value)) return value.length === 0;
  return shape === undefined && typeof value === "object" && Object.keys(value).length === 0;
}

function goString(text: string): string {
  // Go writes the replacement character for halves of a surrogate pair, JSON.stringify an escape.
  return JSON.stringify(text.replace(/\p{Surrogate}/gu, "\ufffd")).replace(
    /[<>&\u2028\u2029]/g,
    (found) => `\\u${found.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
