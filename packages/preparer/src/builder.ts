import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { type BuildpackDescriptor, parseBuildpackDescriptor } from "@lifecycle/spec-types";

/** A buildpack in a directory. */
export interface BuildpackOnDisk {
  readonly id: string;
  readonly version: string;
  readonly dir: string;
  readonly descriptor: BuildpackDescriptor;
}

/** Reads the buildpack in a directory. @throws FormatError, or when there is no buildpack.toml */
export function readBuildpack(dir: string): BuildpackOnDisk {
  const file = join(dir, "buildpack.toml");
  const descriptor = parseBuildpackDescriptor(readFileSync(file, "utf8"), file);
  const { id, version } = descriptor.buildpack;
  return { id, version, dir, descriptor };
}

/** The builder's own buildpacks (platform.md, "Buildpacks Directory Layout"). */
export class Builder {
  readonly #buildpacks: readonly BuildpackOnDisk[];

  /**
   * @param buildpacksDir need not be there
   * @param without directories of buildpacks that are not the builder's
   */
  constructor(buildpacksDir: string, without: ReadonlySet<string> = new Set()) {
    this.#buildpacks = list(buildpacksDir).flatMap((id) =>
      list(join(buildpacksDir, id)).flatMap((version) => {
        const dir = join(buildpacksDir, id, version);
        if (without.has(dir)) return [];
        try {
          return [readBuildpack(dir)];
        } catch {
          // a file beside buildpacks, or a broken buildpack, which the detector names if it is used
          return [];
        }
      }),
    );
  }

  get buildpacks(): readonly BuildpackOnDisk[] {
    return this.#buildpacks;
  }

  /** @param version empty for any */
  has(id: string, version: string): boolean {
    return this.#find(id, version).length > 0;
  }

  /**
   * Finds a buildpack; without a version, the only one of that id.
   *
   * @throws Error if there is none, or more than one
   */
  get(id: string, version: string): BuildpackOnDisk {
    const [found, ...others] = this.#find(id, version);
    const name = version === "" ? id : `${id}@${version}`;
    if (found === undefined) throw new Error(`the builder has no buildpack '${name}'`);
    if (others.length > 0) {
      const versions = [found, ...others].map((each) => each.version).join(", ");
      throw new Error(`the builder has more than one version of '${name}' (${versions}); name one`);
    }
    return found;
  }

  #find(id: string, version: string): readonly BuildpackOnDisk[] {
    return this.#buildpacks.filter((each) => each.id === id && (version === "" || each.version === version));
  }
}

function list(dir: string): string[] {
  return statSync(dir, { throwIfNoEntry: false })?.isDirectory() ? readdirSync(dir).sort() : [];
}
