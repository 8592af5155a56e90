import { type Reader, readToml } from "./decode.ts";
import { ifAny, record, type Writable } from "./ordered.ts";
import { formatToml } from "./toml-writer.ts";

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

/** Reads group.toml. @throws FormatError */
export function parseGroup(text: string, file: string): Group {
  const reader = readToml(text, file);
  return {
    group: reader.tables("group", readGroupElement),
    groupExtensions: reader.tables("group-extensions", readExtensionElement),
  };
}

/** Writes group.toml. That extensions are extensions, and optional, goes without saying there. */
export function formatGroup(group: Group): string {
  return formatToml(
    record({
      group: group.group.map(groupElementRecord),
      "group-extensions": ifAny(
        group.groupExtensions.map(({ extension: _, optional: __, ...element }) => groupElementRecord(element)),
      ),
    }),
  );
}

export function readGroupElement(reader: Reader): GroupElement {
  const api = reader.optionalString("api");
  const homepage = reader.optionalString("homepage");
  return {
    id: reader.string("id"),
    version: reader.string("version"),
    ...(api !== undefined && { api }),
    ...(homepage !== undefined && { homepage }),
    ...(reader.boolean("extension") && { extension: true }),
    ...(reader.boolean("optional") && { optional: true }),
  };
}

/** An element of a list that holds nothing but extensions. */
export function readExtensionElement(reader: Reader): GroupElement {
  return { ...readGroupElement(reader), extension: true, optional: true };
}

/** An element as TOML files have it. */
export function groupElementRecord(element: GroupElement): ReadonlyMap<string, Writable> {
  return record({
    id: element.id,
    version: element.version,
    api: element.api || undefined,
    homepage: element.homepage || undefined,
    extension: element.extension || undefined,
    optional: element.optional || undefined,
  });
}

/** An element as labels have it. */
export function groupElementJson(element: GroupElement): ReadonlyMap<string, Writable> {
  return record({
    id: element.id,
    version: element.version,
    homepage: element.homepage || undefined,
    optional: element.optional || undefined,
  });
}
