import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import {
  buildpackTargets,
  decodeText,
  extensionTargets,
  parseBuildpackDescriptor,
  parseExtensionDescriptor,
} from "@lifecycle/spec-types";
import { type Buildpack, type Extension, escapeId, type Module, type ModuleKind, nameOf } from "./module.ts";
import { isNotFound } from "./read-dir.ts";

/**
 * The buildpacks and extensions of a builder: `<dir>/<escaped id>/<version>/`. Platform spec, "Buildpacks Directory
 * Layout".
 */
export class DirStore {
  readonly #buildpacksDir: string;
  readonly #extensionsDir: string;

  /** Either directory is empty if there is none. */
  constructor({ buildpacksDir, extensionsDir = "" }: { buildpacksDir: string; extensionsDir?: string }) {
    this.#buildpacksDir = buildpacksDir;
    this.#extensionsDir = extensionsDir;
  }

  /**
   * Reads a buildpack or an extension.
   *
   * @throws Error naming the file if it is missing or malformed
   */
  lookup(kind: ModuleKind, id: string, version: string): Module {
    return kind === "Buildpack" ? this.lookupBuildpack(id, version) : this.lookupExtension(id, version);
  }

  /** As `lookup`, for buildpacks. */
  lookupBuildpack(id: string, version: string): Buildpack {
    const path = descriptorPath("buildpack", this.#buildpacksDir, id, version);
    const descriptor = parseBuildpackDescriptor(read(path, { id, version }), path);
    const dir = resolve(dirname(path));
    return {
      kind: "Buildpack",
      dir,
      api: descriptor.api,
      info: descriptor.buildpack,
      order: descriptor.order,
      targets: buildpackTargets(descriptor, listIfExists(join(dir, "bin"))),
    };
  }

  /** As `lookup`, for extensions. */
  lookupExtension(id: string, version: string): Extension {
    const path = descriptorPath("extension", this.#extensionsDir, id, version);
    const descriptor = parseExtensionDescriptor(read(path, { id, version }), path);
    const dir = resolve(dirname(path));
    return {
      kind: "Extension",
      dir,
      api: descriptor.api,
      info: descriptor.extension,
      targets: extensionTargets(descriptor, listIfExists(join(dir, "bin"))),
    };
  }
}

function descriptorPath(kind: "buildpack" | "extension", dir: string, id: string, version: string): string {
  if (dir === "") throw new Error(`missing ${kind}s directory`);
  if (version.includes("/") || version.includes("\0") || version === "..") {
    throw new Error(`invalid version ${JSON.stringify(version)} of ${kind} '${id}'`);
  }
  return join(dir, escapeId(id), version, `${kind}.toml`);
}

function read(path: string, module: { readonly id: string; readonly version: string }): string {
  try {
    return decodeText(readFileSync(path), path);
  } catch (error) {
    if (!isNotFound(error)) throw error;
    const remedy =
      module.version === ""
        ? `'${module.id}' is in the order or group without a version`
        : `'${nameOf(module)}' is in the order or group, but not in the builder`;
    throw new Error(`open ${path}: no such file or directory; ${remedy}`, { cause: error });
  }
}

function listIfExists(dir: string): readonly string[] {
  try {
    return readdirSync(dir);
  } catch (error) {
    if (isNotFound(error)) return [];
    throw error;
  }
}
