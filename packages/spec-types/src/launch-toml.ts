import type { ApiVersion } from "./apis.ts";
import { type BomEntry, readBomEntry } from "./build-toml.ts";
import { type Reader, readToml } from "./decode.ts";

/** A label that a buildpack adds to the image. */
export interface Label {
  readonly key: string;
  readonly value: string;
}

/** Files of the application that become a layer of their own: glob patterns relative to the application directory. */
export interface Slice {
  readonly paths: readonly string[];
}

/** A process type that a buildpack defines. */
export interface LaunchProcess {
  readonly type: string;
  /** One entry before Buildpack API 0.9; later also the arguments that users cannot override. */
  readonly command: readonly string[];
  /** `undefined` if the buildpack gave none, which the build metadata label shows as null. */
  readonly args?: readonly string[];
  /** Run without a shell; always true from Buildpack API 0.9 on. */
  readonly direct: boolean;
  readonly default: boolean;
  readonly workingDirectory?: string;
  /** Execution environments it is for; empty or `*` means all. */
  readonly execEnv?: readonly string[];
}

/** launch.toml (buildpack.md, "launch.toml"). */
export interface LaunchToml {
  readonly bom: readonly BomEntry[];
  readonly labels: readonly Label[];
  readonly processes: readonly LaunchProcess[];
  readonly slices: readonly Slice[];
}

/**
 * Reads launch.toml.
 *
 * @param buildpackApi of the buildpack that wrote it
 * @param warn is told what is ignored
 * @throws FormatError also for what this Buildpack API does not have, and for more than one default process
 */
export function parseLaunchToml(
  text: string,
  file: string,
  buildpackApi: ApiVersion,
  warn?: (message: string) => void,
): LaunchToml {
  const reader = readToml(text, file);
  const processes = reader.tables("processes", (process) => readLaunchProcess(process, buildpackApi, warn));
  if (processes.filter((process) => process.default && process.type !== "").length > 1) {
    throw reader.error("multiple default process types aren't allowed", ["processes"]);
  }
  return {
    bom: reader.tables("bom", readBomEntry),
    labels: reader.tables("labels", readLabel),
    processes,
    slices: reader.tables("slices", readSlice),
  };
}

function readLaunchProcess(
  reader: Reader,
  buildpackApi: ApiVersion,
  warn: ((message: string) => void) | undefined,
): LaunchProcess {
  const type = reader.string("type");
  let direct = true;
  let command: readonly string[];
  if (buildpackApi.lessThan("0.9")) {
    direct = reader.boolean("direct");
    if (reader.value("command") === undefined) {
      throw reader.error("command is missing", []);
    }
    command = [reader.string("command")];
  } else {
    if (reader.optionalBoolean("direct") !== undefined) {
      throw reader.error("process.direct is not supported on this buildpack version", ["direct"]);
    }
    command = reader.strings("command");
  }
  let workingDirectory = reader.optionalString("working-dir");
  if (workingDirectory !== undefined && buildpackApi.lessThan("0.8")) {
    warn?.(
      "Warning: process working directory isn't supported in this buildpack api version. " +
        `Ignoring working directory for process '${type}'`,
    );
    workingDirectory = undefined;
  }
  const args = reader.optionalStrings("args");
  const execEnv = reader.strings("exec-env");
  return {
    type,
    command,
    ...(args !== undefined && { args }),
    direct,
    default: reader.boolean("default"),
    ...(workingDirectory !== undefined && { workingDirectory }),
    ...(execEnv.length > 0 && { execEnv }),
  };
}

export function readLabel(reader: Reader): Label {
  return { key: reader.string("key"), value: reader.string("value") };
}

export function readSlice(reader: Reader): Slice {
  return { paths: reader.strings("paths") };
}
