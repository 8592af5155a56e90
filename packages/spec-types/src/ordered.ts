import type { TomlDateTime } from "./toml-value.ts";

/**
 * What the writers of TOML and JSON take. A map is a record of the specs, whose keys come in their order; a plain object
 * is a free-form table, whose keys are sorted. `undefined` is left out; `null` is only for JSON.
 */
export type Writable =
  | string
  | bigint
  | number
  | boolean
  | null
  | undefined
  | TomlDateTime
  | JsonStrings
  | readonly Writable[]
  | ReadonlyMap<string, Writable>
  | { readonly [key: string]: Writable };

/** A record whose keys are written in this order. */
export function record(fields: { readonly [key: string]: Writable }): ReadonlyMap<string, Writable> {
  return new Map(Object.entries(fields));
}

/** The list, unless it is empty. */
export function ifAny<T>(list: readonly T[] | undefined): readonly T[] | undefined {
  return list?.length ? list : undefined;
}

/** Orders strings by code point, as Go's sorted maps are. */
export function compareCodePoints(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let index = 0; index < length; index++) {
    const left = a.charCodeAt(index);
    const right = b.charCodeAt(index);
    if (left !== right) {
      // Surrogates stand for code points above all other units.
      const isLeftSurrogate = left >= 0xd800 && left <= 0xdfff;
      const isRightSurrogate = right >= 0xd800 && right <= 0xdfff;
      return isLeftSurrogate === isRightSurrogate ? left - right : isLeftSurrogate ? 1 : -1;
    }
  }
  return a.length - b.length;
}

/** The entries of a record in its order, or of a free-form table sorted; without what is left out. */
export function entriesOf(
  table: ReadonlyMap<string, Writable> | { readonly [key: string]: Writable },
): [string, Writable][] {
  const entries =
    table instanceof Map
      ? [...(table as ReadonlyMap<string, Writable>)]
      : Object.entries(table).sort(([a], [b]) => compareCodePoints(a, b));
  return entries.filter(([, value]) => value !== undefined);
}

/** Strings, or one string, that the reference lifecycle writes in TOML the way it writes them in JSON. */
export class JsonStrings {
  readonly strings: string | readonly string[];

  constructor(strings: string | readonly string[]) {
    this.strings = strings;
  }
}
