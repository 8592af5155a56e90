/** A buildpack or image extension as order.toml, group.toml, plan.toml and the build metadata name it. */
export interface GroupElement {
  readonly id: string;
  readonly version: string;
  /** Buildpack API it implements; in group.toml, plan.toml and metadata.toml. */
  readonly api?: string;
  readonly homepage?: string;
  /** An image extension, not a buildpack. */
  readonly extension?: boolean;
  /** The group passes without it. Image extensions are always optional. */
  readonly optional?: boolean;
}

/** group.toml: the group that detection chose (platform.md, "group.toml"). */
export interface Group {
  readonly group: readonly GroupElement[];
  readonly groupExtensions: readonly GroupElement[];
}
