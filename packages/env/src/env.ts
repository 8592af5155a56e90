import type { EnvFs } from "./env-fs.ts";
import { joinPath } from "./path.ts";

/** Separates the entries of PATH and its like (POSIX). */
const PATH_LIST_SEPARATOR = ":";

/**
 * What an environment file does to its variable: the file name's suffix, without the period.
 * Buildpack spec, "Environment Variable Modification Rules".
 */
export type ActionType = "prepend" | "append" | "override" | "default";

/**
 * What an environment file without a suffix does when a layer provides it. It is the same in every Buildpack API this
 * project supports (0.7 and later); until 0.4 it prepended.
 */
export const LAYER_DEFAULT_ACTION: ActionType = "override";

/** Directories of a layer by the variables that list them: buildpack spec, "Layer Paths". */
export type RootDirMap = ReadonlyMap<string, readonly string[]>;

/** What `Env.withOverrides` takes from the platform and from the operator. */
export interface EnvOverrides {
  /** Platform directory whose `env/` holds the user's variables; leave it out for `clear-env = true`. */
  readonly platformDir?: string | undefined;
  /** Build config directory whose `env/` holds the operator's variables. */
  readonly buildConfigDir?: string | undefined;
}

/** An environment and the rules by which layers, platform and operator change it. */
export class Env {
  readonly #vars: Map<string, string>;
  readonly #rootDirMap: RootDirMap;

  /** Copies `vars`. `rootDirMap` says which directories of a layer go into which variables. */
  constructor(vars: Iterable<readonly [string, string]>, rootDirMap: RootDirMap) {
    this.#vars = new Map(vars);
    this.#rootDirMap = rootDirMap;
  }

  /** Value of a variable, "" being a value like any other; undefined if it is not set. */
  get(name: string): string | undefined {
    return this.#vars.get(name);
  }

  set(name: string, value: string): void {
    this.#vars.set(name, value);
  }

  /** All variables as `NAME=value`, in the order they were first set. */
  list(): string[] {
    return Array.from(this.#vars, ([name, value]) => `${name}=${value}`);
  }

  /** All variables by name, with a null prototype so that no name is special. */
  toObject(): Record<string, string> {
    const object: Record<string, string> = Object.create(null);
    for (const [name, value] of this.#vars) object[name] = value;
    return object;
  }

  /** Prepends each directory of a layer that has a variable (`bin` to PATH, …) to it. `layerDir` is absolute. */
  addRootDir(layerDir: string, fs: EnvFs): void {
    for (const [dir, names] of this.#rootDirMap) {
      const path = joinPath(layerDir, dir);
      if (fs.stat(path) === undefined) continue;
      for (const name of names) this.#prepend(name, path, PATH_LIST_SEPARATOR);
    }
  }

  /**
   * Applies the environment files of a directory such as `<layer>/env` in the order of their names. Directories,
   * unknown suffixes and a missing `envDir` are passed over.
   *
   * @param defaultAction what a file without a suffix does
   * @throws Error naming `envDir` if a file cannot be read
   */
  addEnvDir(envDir: string, defaultAction: ActionType, fs: EnvFs): void {
    try {
      this.#addEnvDir(envDir, defaultAction, fs);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw new Error(`apply env files from dir '${envDir}': ${reason}`, { cause: error });
    }
  }

  /**
   * A copy with the variables of the user, then those of the operator. The user's replace existing values, but are
   * prepended where the variable lists paths; the operator's follow the modification rules with `default` where there
   * is no suffix. Platform spec, "User-Provided Variables" and "Operator-Defined Variables".
   *
   * @throws Error if a file cannot be read
   */
  withOverrides({ platformDir, buildConfigDir }: EnvOverrides, fs: EnvFs): Env {
    const env = new Env(this.#vars, this.#rootDirMap);
    if (platformDir) {
      for (const [name, value] of envFiles(joinPath(platformDir, "env"), fs)) {
        if (this.#listsPaths(name)) env.#prepend(name, value, PATH_LIST_SEPARATOR);
        else env.set(name, value);
      }
    }
    if (buildConfigDir) env.addEnvDir(joinPath(buildConfigDir, "env"), "default", fs);
    return env;
  }

  #addEnvDir(envDir: string, defaultAction: ActionType, fs: EnvFs): void {
    const files = new Map(envFiles(envDir, fs));
    const delimiter = (name: string) => files.get(`${name}.delim`);
    for (const [fileName, value] of files) {
      const period = fileName.indexOf(".");
      const name = period < 0 ? fileName : fileName.slice(0, period);
      const action = period < 0 ? defaultAction : fileName.slice(period + 1);
      switch (action) {
        case "prepend":
          this.#prepend(name, value, delimiter(name) ?? "");
          break;
        case "append": {
          const current = this.get(name);
          this.set(name, current ? current + (delimiter(name) ?? "") + value : value);
          break;
        }
        case "override":
          this.set(name, value);
          break;
        case "default":
          if (!this.get(name)) this.set(name, value);
          break;
        case "":
          // A name that ends in its period: the spec is silent, the reference treats it as a list of paths.
          this.#prepend(name, value, delimiter(name) ?? PATH_LIST_SEPARATOR);
          break;
      }
    }
  }

  #prepend(name: string, value: string, delimiter: string): void {
    const current = this.get(name);
    this.set(name, current ? value + delimiter + current : value);
  }

  #listsPaths(name: string): boolean {
    for (const names of this.#rootDirMap.values()) if (names.includes(name)) return true;
    return false;
  }
}

/** Names and contents of the files of a directory, by name; links to directories are passed over like directories. */
function* envFiles(dir: string, fs: EnvFs): Generator<[name: string, value: string]> {
  const entries = [...(fs.readDir(dir) ?? [])].sort((a, b) => (a.name < b.name ? -1 : 1));
  for (const { name, kind } of entries) {
    const path = joinPath(dir, name);
    if (kind === "directory" || (kind === "symlink" && fs.stat(path) === "directory")) continue;
    const value = fs.readFile(path);
    if (value === undefined) throw new Error(`read '${path}': no such file`);
    yield [name, value];
  }
}
