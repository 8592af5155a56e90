import { InstructionError } from "./error.ts";
import type { RunMount } from "./instruction.ts";

const types = ["bind", "cache", "tmpfs", "secret", "ssh"] as const;

/** Other names of the same keys. */
const aliases: Readonly<Record<string, string>> = { dst: "target", destination: "target", src: "source" };

const known = new Set([
  "type",
  "target",
  "source",
  "from",
  "id",
  "required",
  "mode",
  "uid",
  "gid",
  "env",
  "sharing",
  "readonly",
  "ro",
  "readwrite",
  "rw",
  "size",
]);

/** Keys that can stand without a value. */
const switches = new Set(["readonly", "ro", "readwrite", "rw", "required"]);

/**
 * Reads the value of RUN's `--mount`: `type=cache,target=/var/cache/apt,…`.
 * @param expand replaces variables in the value of a key
 * @throws InstructionError `syntax`
 */
export function parseMount(text: string, expand: (value: string, key: string) => string = (value) => value): RunMount {
  const values = new Map<string, string>();
  for (const field of text.split(",")) {
    const equals = field.indexOf("=");
    const key = (equals < 0 ? field : field.slice(0, equals)).toLowerCase();
    const name = aliases[key] ?? key;
    if (!known.has(name)) throw new InstructionError("syntax", `unexpected key '${key}' in --mount=${text}`);
    if (equals < 0 && !switches.has(name)) {
      throw new InstructionError("syntax", `'${field}' in --mount=${text} must be a key=value pair`);
    }
    values.set(name, equals < 0 ? "true" : expand(field.slice(equals + 1), name));
  }
  const given = values.get("type")?.toLowerCase() ?? "bind";
  const type = types.find((candidate) => candidate === given);
  if (type === undefined) throw new InstructionError("syntax", `unsupported mount type '${given}'`);
  const target = values.get("target") ?? "";
  const source = values.get("source");
  const isFile = type === "secret" || type === "ssh";
  const ownName = isFile ? (source ?? target).split("/").at(-1) : target.replace(/(?<=.)\/+$/, "");
  const id = values.get("id") || (ownName ?? "");
  if (type === "secret" && id === "") throw new InstructionError("syntax", `--mount=${text} names no secret`);
  const env = values.get("env");
  return {
    type,
    target: target === "" && isFile && env === undefined ? `/run/secrets/${id.split("/").at(-1)}` : target,
    source: source ?? "/",
    from: values.get("from") || undefined,
    id,
    required: isTrue(values.get("required") ?? "false", text),
    mode: values.has("mode") ? octal(values.get("mode") ?? "", text) : undefined,
    uid: number(values.get("uid") ?? "0", text),
    gid: number(values.get("gid") ?? "0", text),
    env,
  };
}

/** As Go reads a boolean. */
function isTrue(value: string, text: string): boolean {
  if (["1", "t", "T", "TRUE", "true", "True"].includes(value)) return true;
  if (["0", "f", "F", "FALSE", "false", "False"].includes(value)) return false;
  throw new InstructionError("syntax", `invalid value for required of --mount=${text}: ${value}`);
}

function octal(value: string, text: string): number {
  if (!/^[0-7]{1,5}$/.test(value))
    throw new InstructionError("syntax", `mode ${value} of --mount=${text} is not octal`);
  return Number.parseInt(value, 8);
}

function number(value: string, text: string): number {
  if (!/^[0-9]{1,10}$/.test(value)) throw new InstructionError("syntax", `${value} of --mount=${text} is no number`);
  return Number(value);
}
