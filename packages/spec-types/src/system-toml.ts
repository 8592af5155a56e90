/** A buildpack that the platform adds to every group. */
export interface SystemBuildpack {
  readonly id: string;
  readonly version: string;
}

/** system.toml: buildpacks before and after those of every group (platform.md, "system.toml", Platform API 0.15). */
export interface System {
  readonly pre: readonly SystemBuildpack[];
  readonly post: readonly SystemBuildpack[];
}
