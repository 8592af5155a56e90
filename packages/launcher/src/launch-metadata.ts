import { type ApiVersion, type Process, parseBuildMetadata } from "@lifecycle/spec-types";
import { parseText, toByteString } from "./byte-string.ts";

/** What the launcher needs of `<layers>/config/metadata.toml`, with all strings as the host takes them. */
export interface LaunchMetadata {
  readonly processes: readonly Process[];
  readonly buildpacks: readonly { readonly id: string; readonly api: string }[];
}

/**
 * Reads `<layers>/config/metadata.toml`.
 *
 * @param content bytes of the file
 * @param file names it in errors
 * @throws Error naming the place if it is not what it should be
 */
export function parseLaunchMetadata(content: string, file: string, platformApi: ApiVersion): LaunchMetadata {
  const { processes, buildpacks } = parseText(content, file, (text, name) =>
    parseBuildMetadata(text, name, platformApi),
  );
  return {
    processes: processes.map((process) => ({
      ...process,
      type: toByteString(process.type),
      buildpackId: toByteString(process.buildpackId),
      command: process.command.map(toByteString),
      ...(process.args && { args: process.args.map(toByteString) }),
      ...(process.workingDirectory && { workingDirectory: toByteString(process.workingDirectory) }),
      ...(process.execEnv && { execEnv: process.execEnv.map(toByteString) }),
    })),
    buildpacks: buildpacks.map(({ id, api = "" }) => ({ id: toByteString(id), api: toByteString(api) })),
  };
}
