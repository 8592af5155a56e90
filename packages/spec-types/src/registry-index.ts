import { readJson } from "./decode.ts";
import { FormatError } from "./format-error.ts";

/** A version of a buildpack in a buildpack registry's index. */
export interface RegistryEntry {
  readonly namespace: string;
  readonly name: string;
  readonly version: string;
  /** It was withdrawn. */
  readonly yanked: boolean;
  /** The buildpackage's image, with its digest. */
  readonly address: string;
}

/**
 * Where an index has a buildpack, relative to its base (extensions/buildpack-registry.md, "Directory Structure").
 *
 * @throws RangeError for a namespace or name that cannot be one
 */
export function registryIndexPath(namespace: string, name: string): string {
  for (const part of [namespace, name]) {
    if (!/^[a-z0-9.-]{1,253}$/.test(part)) {
      const rule = "a to z, 0 to 9, '-' and '.', at most 253 of them";
      throw new RangeError(`${JSON.stringify(part)} cannot be part of a buildpack's ID in a registry: ${rule}`);
    }
  }
  const file = `${namespace}_${name}`;
  if (name.length < 3) return `${name.length}/${file}`;
  return name.length === 3 ? `3/${name.slice(0, 2)}/${file}` : `${name.slice(0, 2)}/${name.slice(2, 4)}/${file}`;
}

/** Reads a file of the index, one entry in JSON to a line. @throws FormatError */
export function parseRegistryIndex(text: string, file: string): readonly RegistryEntry[] {
  return text.split("\n").flatMap((line, index) => {
    if (line.trim() === "") return [];
    const place = `${file}:${index + 1}`;
    const reader = readJson(line, place);
    const entry = {
      namespace: reader.string("ns"),
      name: reader.string("name"),
      version: reader.string("version"),
      yanked: reader.boolean("yanked"),
      address: reader.string("addr"),
    };
    if (entry.version === "") throw new FormatError({ file: place, what: "the entry has no version" });
    return [entry];
  });
}
