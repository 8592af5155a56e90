import { FormatError, type Process, parseToml, type TomlTable, type TomlValue } from "@lifecycle/spec-types";
import { fromByteString, toByteString } from "./byte-string.ts";

/** What the launcher needs of `<layers>/config/metadata.toml`, with all strings as the host takes them. */
export interface LaunchMetadata {
  readonly processes: readonly Process[];
  readonly buildpacks: readonly { readonly id: string; readonly api: string }[];
}

/**
 * Reads the parts of `<layers>/config/metadata.toml` that matter at launch; the rest is not looked at.
 *
 * @param content bytes of the file
 * @param file names it in errors
 * @throws Error if it is not UTF-8; FormatError if it is not TOML, or a field is not of its type
 */
export function parseLaunchMetadata(content: string, file: string): LaunchMetadata {
  const metadata = parseToml(fromByteString(content), file);
  const read = <T>(name: string, parse: (table: TomlTable) => T): T[] => {
    const tables = metadata[name] ?? [];
    if (!Array.isArray(tables)) throw new FormatError({ file, what: `'${name}' is no array of tables` });
    return tables.map((table: TomlValue, index) => {
      try {
        if (!isTable(table)) throw new Error("is no table");
        return parse(table);
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        throw new FormatError({ file, what: `${name}[${index}]: ${reason}` });
      }
    });
  };
  return { processes: read("processes", parseProcess), buildpacks: read("buildpacks", parseBuildpack) };
}

function parseProcess(table: TomlTable): Process {
  const { command } = table;
  const args = strings(table, "args");
  const workingDirectory = text(table, "working-dir");
  const execEnv = strings(table, "exec-env");
  return {
    type: text(table, "type") ?? "",
    // A string as written before Platform API 0.10, else an array.
    command: (typeof command === "string" ? [toByteString(command)] : strings(table, "command")) ?? [],
    ...(args === undefined ? {} : { args }),
    direct: flag(table, "direct"),
    default: flag(table, "default"),
    buildpackId: text(table, "buildpack-id") ?? "",
    ...(workingDirectory === undefined ? {} : { workingDirectory }),
    ...(execEnv === undefined ? {} : { execEnv }),
  };
}

function parseBuildpack(table: TomlTable): { id: string; api: string } {
  return { id: text(table, "id") ?? "", api: text(table, "api") ?? "" };
}

function text(table: TomlTable, key: string): string | undefined {
  const value = table[key];
  if (value === undefined) return undefined;
  if (typeof value !== "string") throw new Error(`'${key}' is no string`);
  return toByteString(value);
}

function strings(table: TomlTable, key: string): string[] | undefined {
  const value = table[key];
  if (value === undefined) return undefined;
  if (!Array.isArray(value)) throw new Error(`'${key}' is no array of strings`);
  return value.map((element: TomlValue) => {
    if (typeof element !== "string") throw new Error(`'${key}' is no array of strings`);
    return toByteString(element);
  });
}

function flag(table: TomlTable, key: string): boolean {
  const value = table[key] ?? false;
  if (typeof value !== "boolean") throw new Error(`'${key}' is no boolean`);
  return value;
}

function isTable(value: TomlValue): value is TomlTable {
  return typeof value === "object" && Object.getPrototypeOf(value) === null;
}
