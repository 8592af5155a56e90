import { TomlDateTime, type TomlDateTimeKind } from "./toml-value.ts";

const INTEGER = /^[+-]?(?:0|[1-9](?:_?\d)*)$/;
const PREFIXED_INTEGER = /^0(?:x[\dA-Fa-f](?:_?[\dA-Fa-f])*|o[0-7](?:_?[0-7])*|b[01](?:_?[01])*)$/;
const FLOAT = /^[+-]?(?:0|[1-9](?:_?\d)*)(?:\.\d(?:_?\d)*)?(?:[eE][+-]?\d(?:_?\d)*)?$/;
const DATE = /^(\d{4})-(\d\d)-(\d\d)$/;
const TIME = /^(\d\d):(\d\d)(?::(\d\d)(?:\.(\d+))?)?$/;
const DATE_TIME = /^(\d{4}-\d\d-\d\d)[Tt ]([\d:.]+)([Zz]|[+-]\d\d:\d\d)?$/;

/** No number needs more digits; what is longer would keep the expressions above busy. */
const MAX_TOKEN_LENGTH = 1024;
const MAX_INTEGER = 2n ** 63n - 1n;
const MIN_INTEGER = -(2n ** 63n);

/**
 * The value of a TOML number or date.
 *
 * @returns what is wrong with the token, as a string, if it is neither
 */
export function parseTomlScalar(token: string): bigint | number | TomlDateTime | string {
  if (token.length > MAX_TOKEN_LENGTH) {
    return `not a value: ${shorten(token)}`;
  }
  if (INTEGER.test(token) || PREFIXED_INTEGER.test(token)) {
    return parseInteger(token);
  }
  if (FLOAT.test(token)) {
    const value = Number(token.replaceAll("_", ""));
    return Number.isFinite(value) ? value : `float out of range: ${shorten(token)}`;
  }
  const special = /^([+-]?)(inf|nan)$/.exec(token);
  if (special !== null) {
    return special[2] === "nan" ? Number.NaN : special[1] === "-" ? -Infinity : Infinity;
  }
  return parseDateTime(token) ?? `not a value: ${shorten(token)}`;
}

function parseInteger(token: string): bigint | string {
  const digits = token.replace(/^[+-]/, "").replaceAll("_", "");
  // 64 binary digits behind their prefix and leading zeros; what is longer is not worth converting.
  if (digits.replace(/^0[xob]?0*/, "").length > 64) {
    return `integer out of range: ${shorten(token)} needs more than 64 bits`;
  }
  const value = token.startsWith("-") ? -BigInt(digits) : BigInt(digits);
  return value > MAX_INTEGER || value < MIN_INTEGER
    ? `integer out of range: ${shorten(token)} needs more than 64 bits`
    : value;
}

function parseDateTime(token: string): TomlDateTime | undefined {
  const date = normalizeDate(token);
  if (date !== undefined) {
    return new TomlDateTime("local-date", date);
  }
  const time = normalizeTime(token);
  if (time !== undefined) {
    return new TomlDateTime("local-time", time);
  }
  const parts = DATE_TIME.exec(token);
  const day = normalizeDate(parts?.[1] ?? "");
  const clock = normalizeTime(parts?.[2] ?? "");
  const offset = normalizeOffset(parts?.[3]);
  if (day === undefined || clock === undefined || offset === undefined) {
    return undefined;
  }
  const kind: TomlDateTimeKind = offset === "" ? "local-date-time" : "offset-date-time";
  return new TomlDateTime(kind, `${day}T${clock}${offset}`);
}

function normalizeDate(text: string): string | undefined {
  const [, year, month, day] = DATE.exec(text)?.map(Number) ?? [];
  if (year === undefined || month === undefined || day === undefined || month < 1 || month > 12 || day < 1) {
    return undefined;
  }
  const isLeap = (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;
  const days = month === 2 ? (isLeap ? 29 : 28) : [4, 6, 9, 11].includes(month) ? 30 : 31;
  return day <= days ? text : undefined;
}

/** With seconds, and a fraction of at most nine digits without zeros at its end. */
function normalizeTime(text: string): string | undefined {
  const parts = TIME.exec(text);
  const [, hour = "", minute = "", second = "00", fraction = ""] = parts ?? [];
  if (parts === null || Number(hour) > 23 || Number(minute) > 59 || Number(second) > 59) {
    return undefined;
  }
  const nanoseconds = fraction.slice(0, 9).replace(/0+$/, "");
  return `${hour}:${minute}:${second}${nanoseconds === "" ? "" : `.${nanoseconds}`}`;
}

function normalizeOffset(text = ""): string | undefined {
  if (/^[Zz]$|^[+-]00:00$/.test(text)) {
    return "Z";
  }
  return text === "" || (Number(text.slice(1, 3)) < 24 && Number(text.slice(4)) < 60) ? text : undefined;
}

function shorten(token: string): string {
  return token.length > 40 ? `${token.slice(0, 40)}…` : token;
}
