/**
 * A TOML value as the specs' free-form tables (`[metadata]`) hold it. Integers are bigints and floats are numbers, so
 * that `1` and `1.0` stay apart and no digit of a 64-bit integer is lost.
 */
export type TomlValue = string | bigint | number | boolean | TomlDateTime | readonly TomlValue[] | TomlTable;

/** A TOML table. Tables that this package reads have no prototype: `constructor` and `__proto__` are keys like any other. */
export interface TomlTable {
  readonly [key: string]: TomlValue;
}

export type TomlDateTimeKind = "offset-date-time" | "local-date-time" | "local-date" | "local-time";

/** A TOML date and/or time, to the nanosecond, in the offset it was written with. */
export class TomlDateTime {
  readonly kind: TomlDateTimeKind;
  /** The value as TOML text: `1979-05-27T00:32:00.5-07:00`, `1979-05-27`, `07:32:00`. */
  readonly text: string;

  /** @param text valid for `kind`, as {@link parseToml} gives it */
  constructor(kind: TomlDateTimeKind, text: string) {
    this.kind = kind;
    this.text = text;
  }

  /** As the labels show it, an RFC 3339 time: local values are taken to be in UTC, a local time in the year 0. */
  toJSON(): string {
    switch (this.kind) {
      case "offset-date-time":
        return this.text;
      case "local-date-time":
        return `${this.text}Z`;
      case "local-date":
        return `${this.text}T00:00:00Z`;
      case "local-time":
        return `0000-01-01T${this.text}Z`;
    }
  }
}

export function isArray(value: TomlValue): value is readonly TomlValue[] {
  return Array.isArray(value);
}

export function isTable(value: TomlValue): value is TomlTable {
  return typeof value === "object" && !isArray(value) && !(value instanceof TomlDateTime);
}
