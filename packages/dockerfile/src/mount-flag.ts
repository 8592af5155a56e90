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

/**
 * Reads the value of RUN's `--mount`: `type=cache,target=/var/cache/apt,…`.
 * @throws InstructionError `syntax`
 */
export function parseMount(text: string): RunMount {
  const values = new Map<string, string>();
  for (const field of text.split(",")) {
    const equals = field.indexOf("=");
    const key = (equals < 0 ? field : field.slice(0, equals)).toLowerCase();
    const name = aliases[key] ?? key;
    if (!known.has(name)) throw new InstructionError("syntax", `unexpected key '${key}' in --mount=${text}`);
    values.set(name, equals < 0 ? "true" : field.slice(equals + 1));
  }
  const type = types.find((candidate) => candidate === (values.get("type") ?? "bind"));
  if (type === undefined) throw new InstructionError("syntax", `unsupported mount type '${values.get("type")}'`);
  const idFromPaths = (values.get("source") ?? values.get("target") ?? "").split("/").at(-1) ?? "";
  const isFile = type === "secret" || type === "ssh";
  const id = values.get("id") ?? (isFile ? idFromPaths : (values.get("target") ?? ""));
  const env = values.get("env");
  const target = values.get("target") ?? (isFile && env === undefined ? `/run/secrets/${id}` : "");
  if (target === "" && !isFile) throw new InstructionError("syntax", `--mount=${text} has no target`);
  return {
    type,
    target,
    source: values.get("source") ?? "/",
    from: values.get("from"),
    id,
    required: values.get("required") === "true",
    mode: values.has("mode") ? octal(values.get("mode") ?? "", text) : undefined,
    uid: number(values.get("uid") ?? "0", text),
    gid: number(values.get("gid") ?? "0", text),
    env,
  };
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
