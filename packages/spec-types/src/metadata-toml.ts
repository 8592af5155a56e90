import type { ApiVersion } from "./apis.ts";
import { type BomEntry, bomEntryJson, bomEntryRecord, readBomEntry } from "./build-toml.ts";
import { type Reader, readJson, readToml } from "./decode.ts";
import { type GroupElement, groupElementJson, groupElementRecord, readGroupElement } from "./group-toml.ts";
import { formatJson } from "./json.ts";
import { BUILD_METADATA_LABEL, type LauncherMetadata } from "./labels.ts";
import { type Label, type LaunchProcess, readLabel, readSlice, type Slice } from "./launch-toml.ts";
import { ifAny, JsonStrings, record, type Writable } from "./ordered.ts";
import { isArray } from "./toml-value.ts";
import { formatToml } from "./toml-writer.ts";

/** A process of the image. */
export interface Process extends LaunchProcess {
  /** The buildpack that defined it. */
  readonly buildpackId: string;
}

/**
 * `<layers>/config/metadata.toml`: what the build produced, for the exporter and the launcher (platform.md,
 * "metadata.toml"). Also the source of the label `io.buildpacks.build.metadata`.
 */
export interface BuildMetadata {
  readonly bom: readonly BomEntry[];
  readonly buildpacks: readonly GroupElement[];
  readonly extensions: readonly GroupElement[];
  readonly labels: readonly Label[];
  readonly processes: readonly Process[];
  readonly slices: readonly Slice[];
  readonly buildpackDefaultProcessType?: string;
}

/**
 * Reads metadata.toml.
 *
 * @param platformApi before 0.10 a process has one command; what follows it becomes arguments
 * @throws FormatError
 */
export function parseBuildMetadata(text: string, file: string, platformApi: ApiVersion): BuildMetadata {
  return readBuildMetadata(readToml(text, file), "buildpack-id", platformApi);
}

/** Reads the label `io.buildpacks.build.metadata`. Labels and slices are not in it. @throws FormatError */
export function parseBuildMetadataLabel(text: string, platformApi: ApiVersion): BuildMetadata {
  return readBuildMetadata(readJson(text, BUILD_METADATA_LABEL), "buildpackID", platformApi);
}

function readBuildMetadata(reader: Reader, buildpackIdKey: string, platformApi: ApiVersion): BuildMetadata {
  const defaultType = reader.optionalString("buildpack-default-process-type");
  return {
    bom: reader.tables("bom", readBomEntry),
    buildpacks: reader.tables("buildpacks", readGroupElement),
    extensions: reader.tables("extensions", readGroupElement),
    labels: reader.tables("labels", readLabel),
    processes: reader.tables("processes", (process) =>
      processFor(platformApi, { ...readProcess(process), buildpackId: process.string(buildpackIdKey) }),
    ),
    slices: reader.tables("slices", readSlice),
    ...(defaultType !== undefined && { buildpackDefaultProcessType: defaultType }),
  };
}

function readProcess(reader: Reader): LaunchProcess {
  const args = reader.optionalStrings("args");
  const workingDirectory = reader.optionalString("working-dir");
  const execEnv = reader.strings("exec-env");
  return {
    type: reader.string("type"),
    command: readCommand(reader),
    ...(args !== undefined && { args }),
    direct: reader.boolean("direct"),
    default: reader.boolean("default"),
    ...(workingDirectory !== undefined && { workingDirectory }),
    ...(execEnv.length > 0 && { execEnv }),
  };
}

/** A string, as before Platform API 0.10, or an array; both are read whatever the API. */
function readCommand(reader: Reader): readonly string[] {
  const command = reader.value("command");
  return command === undefined || isArray(command) ? reader.strings("command") : [reader.string("command")];
}

/** The process as this Platform API has it: before 0.10 with one command, the rest of which becomes arguments. */
export function processFor(platformApi: ApiVersion, process: Process): Process {
  const [command, ...rest] = process.command;
  if (platformApi.atLeast("0.10") || command === undefined) {
    return process;
  }
  return { ...process, command: [command], args: [...rest, ...(process.args ?? [])] };
}

/** Writes metadata.toml. */
export function formatBuildMetadata(metadata: BuildMetadata, platformApi: ApiVersion): string {
  return formatToml(
    record({
      bom: ifAny(metadata.bom.map(bomEntryRecord)),
      buildpacks: metadata.buildpacks.map(groupElementRecord),
      extensions: ifAny(metadata.extensions.map(groupElementRecord)),
      labels: ifAny(metadata.labels.map(({ key, value }) => record({ key, value }))),
      processes: metadata.processes.map((process) => {
        const { type, command, args, direct, ...rest } = processFor(platformApi, process);
        return record({
          type,
          command: new JsonStrings(platformApi.atLeast("0.10") ? command : (command[0] ?? "")),
          args,
          direct,
          default: rest.default || undefined,
          "buildpack-id": rest.buildpackId,
          "working-dir": rest.workingDirectory || undefined,
          "exec-env": ifAny(rest.execEnv),
        });
      }),
      slices: ifAny(metadata.slices.map(({ paths }) => record({ paths }))),
      "buildpack-default-process-type": metadata.buildpackDefaultProcessType || undefined,
    }),
  );
}

/** Writes the label `io.buildpacks.build.metadata`. From Platform API 0.9 on the bill of materials is not in it. */
export function formatBuildMetadataLabel(
  metadata: BuildMetadata,
  launcher: LauncherMetadata,
  platformApi: ApiVersion,
): string {
  const bom = ifAny(metadata.bom.map(bomEntryJson)) ?? null;
  const { repository, commit } = launcher.source.git;
  return formatJson(
    record({
      bom: platformApi.lessThan("0.9") ? bom : undefined,
      buildpacks: metadata.buildpacks.map(groupElementJson),
      extensions: ifAny(metadata.extensions.map(groupElementJson)),
      launcher: record({
        version: launcher.version,
        source: record({ git: record({ repository, commit }) }),
      }),
      processes: metadata.processes.map((process) => processJson(process, platformApi)),
      "buildpack-default-process-type": metadata.buildpackDefaultProcessType || undefined,
    }),
  );
}

function processJson(process: Process, platformApi: ApiVersion): ReadonlyMap<string, Writable> {
  const { type, command, args, direct, ...rest } = processFor(platformApi, process);
  return record({
    type,
    command: platformApi.atLeast("0.10") ? command : (command[0] ?? ""),
    args: args ?? null,
    direct,
    default: rest.default || undefined,
    buildpackID: rest.buildpackId,
    "working-dir": rest.workingDirectory || undefined,
    "exec-env": ifAny(rest.execEnv),
  });
}
