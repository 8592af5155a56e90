import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import {
  ApiVersion,
  type BuildpackDescriptor,
  parseBuildpackDescriptor,
  parseExtensionDescriptor,
  type Target,
} from "@lifecycle/spec-types";
import { type Buildpack, type Extension, escapeId, type Module, type ModuleKind, nameOf } from "./module.ts";
import { isNotFound } from "./read-dir.ts";

const anyTarget: Target = { os: "", arch: "" };
const anyLinux: Target = { os: "linux", arch: "" };
const bionic: Target = { os: "linux", arch: "amd64", distros: [{ name: "ubuntu", version: "18.04" }] };

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
    const { api, buildpack, order, targets, stacks } = parseBuildpackDescriptor(read(path, { id, version }), path);
    const dir = resolve(dirname(path));
    return {
      kind: "Buildpack",
      dir,
      api,
      info: buildpack,
      order,
      targets: firstNonEmpty(
        targets,
        () => targetsOfStacks(api, stacks),
        () => targetsOfPrograms(dir, ["build"]),
      ),
    };
  }

  /** As `lookup`, for extensions. */
  lookupExtension(id: string, version: string): Extension {
    const path = descriptorPath("extension", this.#extensionsDir, id, version);
    const { api, extension, targets } = parseExtensionDescriptor(read(path, { id, version }), path);
    const dir = resolve(dirname(path));
    return {
      kind: "Extension",
      dir,
      api,
      info: extension,
      targets: firstNonEmpty(
        targets,
        () => targetsOfPrograms(dir, ["detect", "generate"]),
        () => [anyTarget],
      ),
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
    return readFileSync(path, "utf8");
  } catch (error) {
    if (!isNotFound(error)) throw error;
    const remedy = `'${nameOf(module)}' is in the order or group, but not in the builder`;
    throw new Error(`open ${path}: no such file or directory; ${remedy}`, { cause: error });
  }
}

function firstNonEmpty(
  targets: readonly Target[],
  ...inferences: readonly (() => readonly Target[])[]
): readonly Target[] {
  for (const infer of inferences) {
    if (targets.length > 0) break;
    targets = infer();
  }
  return targets;
}

/** Stacks are of the time before targets. Buildpack spec, "buildpack.toml (TOML) `stacks` Array". */
function targetsOfStacks(api: string, stacks: BuildpackDescriptor["stacks"]): readonly Target[] {
  const translates = stacks.length === 1 || ApiVersion.tryParse(api)?.atLeast("0.10") === true;
  return stacks.flatMap(({ id }) => {
    if (id === "*") return [anyTarget];
    return id === "io.buildpacks.stacks.bionic" && translates ? [bionic] : [];
  });
}

/** Without a word about targets, a program without an extension to its name is one for Linux. */
function targetsOfPrograms(dir: string, names: readonly string[]): readonly Target[] {
  return listIfExists(join(dir, "bin")).some((name) => names.includes(name)) ? [anyLinux] : [];
}

function listIfExists(dir: string): readonly string[] {
  try {
    return readdirSync(dir);
  } catch (error) {
    if (isNotFound(error)) return [];
    throw error;
  }
}
