import { ApiVersion } from "./apis.ts";
import { readArchVariant } from "./arch-variant.ts";
import { type Reader, readToml } from "./decode.ts";
import { type OrderGroup, readOrderGroup } from "./order-toml.ts";

/** An operating system distribution that a buildpack supports. */
export interface TargetDistro {
  readonly name: string;
  readonly version: string;
}

/** A system that a buildpack or extension supports; an empty or absent field matches any. */
export interface Target {
  readonly os: string;
  readonly arch: string;
  readonly archVariant?: string;
  readonly distros?: readonly TargetDistro[];
}

/** What `[buildpack]` and `[extension]` have in common. */
export interface ModuleInfo {
  readonly id: string;
  readonly name: string;
  readonly version: string;
  readonly homepage?: string;
  readonly clearEnv: boolean;
  /** Execution environments it is for; empty or `*` means all. */
  readonly execEnv: readonly string[];
}

export interface BuildpackInfo extends ModuleInfo {
  /** Media types of the SBOM files that the buildpack may write. */
  readonly sbomFormats: readonly string[];
}

/** buildpack.toml (buildpack.md, "buildpack.toml"). With an order it is a composite buildpack. */
export interface BuildpackDescriptor {
  readonly api: string;
  readonly buildpack: BuildpackInfo;
  readonly order: readonly OrderGroup[];
  readonly targets: readonly Target[];
  /** Stack ids, from which targets are inferred if there are none. */
  readonly stacks: readonly { readonly id: string }[];
}

/** Reads buildpack.toml. Its targets are those written there: see {@link buildpackTargets}. @throws FormatError */
export function parseBuildpackDescriptor(text: string, file: string): BuildpackDescriptor {
  const reader = readToml(text, file);
  const buildpack = reader.table("buildpack");
  return {
    api: reader.string("api"),
    buildpack: { ...readModuleInfo(buildpack), sbomFormats: buildpack.strings("sbom-formats") },
    order: reader.tables("order", readOrderGroup),
    targets: reader.tables("targets", readTarget),
    stacks: reader.tables("stacks", (stack) => ({ id: stack.string("id") })),
  };
}

/**
 * The systems a buildpack is for: what it lists, or what follows from its stacks, or linux if it has a bin/build.
 *
 * @param binFiles the names in its bin directory
 */
export function buildpackTargets(descriptor: BuildpackDescriptor, binFiles: readonly string[]): readonly Target[] {
  if (descriptor.targets.length > 0) {
    return descriptor.targets;
  }
  const inferred = descriptor.stacks.flatMap(({ id }): readonly Target[] => {
    if (id === "*") {
      return [{ os: "", arch: "" }];
    }
    const isMeant = descriptor.stacks.length === 1 || ApiVersion.tryParse(descriptor.api)?.atLeast("0.10") === true;
    return id === "io.buildpacks.stacks.bionic" && isMeant ? [BIONIC] : [];
  });
  return inferred.length === 0 && binFiles.includes("build") ? [{ os: "linux", arch: "" }] : inferred;
}

const BIONIC: Target = { os: "linux", arch: "amd64", distros: [{ name: "ubuntu", version: "18.04" }] };

export function readModuleInfo(reader: Reader): ModuleInfo {
  const homepage = reader.optionalString("homepage");
  return {
    id: reader.string("id"),
    name: reader.string("name"),
    version: reader.string("version"),
    ...(homepage !== undefined && { homepage }),
    clearEnv: reader.boolean("clear-env"),
    // The spec has tables with a name; the reference, and with it all buildpacks, strings.
    execEnv: reader.names("exec-env"),
  };
}

export function readTarget(reader: Reader): Target {
  const archVariant = readArchVariant(reader);
  const distros = reader.optionalTables("distros", (distro) => ({
    name: distro.string("name"),
    version: distro.string("version"),
  }));
  return {
    os: reader.string("os"),
    arch: reader.string("arch"),
    ...(archVariant !== undefined && { archVariant }),
    ...(distros !== undefined && { distros }),
  };
}
