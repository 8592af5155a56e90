import { type Reader, readToml } from "./decode.ts";

/** A buildpack that the platform adds to every group. */
export interface SystemBuildpack {
  readonly id: string;
  readonly version: string;
  /** Groups pass without it. */
  readonly optional?: boolean;
}

/** system.toml: buildpacks before and after those of every group (platform.md, "system.toml", Platform API 0.15). */
export interface System {
  readonly pre: readonly SystemBuildpack[];
  readonly post: readonly SystemBuildpack[];
}

/** Reads system.toml. @throws FormatError */
export function parseSystem(text: string, file: string): System {
  const system = readToml(text, file).table("system");
  return { pre: readBuildpacks(system.table("pre")), post: readBuildpacks(system.table("post")) };
}

function readBuildpacks(reader: Reader): readonly SystemBuildpack[] {
  return reader.tables("buildpacks", (buildpack) => ({
    id: buildpack.string("id"),
    version: buildpack.string("version"),
    ...(buildpack.boolean("optional") && { optional: true }),
  }));
}
