import { readJson, readToml } from "./decode.ts";
import { FormatError } from "./format-error.ts";
import { type OrderGroup, readOrderGroup } from "./order-toml.ts";

/** What a buildpackage is for: the ID and version to put into an order (distribution.md, "Buildpackage"). */
export const BUILDPACKAGE_METADATA_LABEL = "io.buildpacks.buildpackage.metadata";
/** The buildpacks in a buildpackage or builder by ID, version and layer. */
export const BUILDPACK_LAYERS_LABEL = "io.buildpacks.buildpack.layers";

/** A buildpack in a buildpackage. */
export interface PackagedBuildpack {
  readonly id: string;
  readonly version: string;
  readonly api: string;
  /** The layer that holds it; several buildpacks may share one. */
  readonly layerDiffId: string;
  /** Of a composite buildpack. */
  readonly order: readonly OrderGroup[];
}

/** Reads the label `io.buildpacks.buildpackage.metadata`. @throws FormatError */
export function parseBuildpackageLabel(text: string): { readonly id: string; readonly version: string } {
  const reader = readJson(text, BUILDPACKAGE_METADATA_LABEL);
  const [id, version] = [reader.string("id"), reader.string("version")];
  if (id === "" || version === "") {
    throw new FormatError({ file: BUILDPACKAGE_METADATA_LABEL, what: "it has no id or no version" });
  }
  return { id, version };
}

/** Reads the label `io.buildpacks.buildpack.layers`. @throws FormatError */
export function parseBuildpackLayersLabel(text: string): readonly PackagedBuildpack[] {
  return readJson(text, BUILDPACK_LAYERS_LABEL)
    .entries()
    .flatMap(([id, versions]) =>
      versions.entries().map(([version, buildpack]) => ({
        id,
        version,
        api: buildpack.string("api"),
        layerDiffId: buildpack.string("layerDiffID"),
        order: buildpack.tables("order", readOrderGroup),
      })),
    );
}

/**
 * Reads package.toml, which lies beside the buildpack.toml of a composite buildpack and says where its parts come from.
 *
 * @returns their URIs
 * @throws FormatError
 */
export function parsePackageDependencies(text: string, file: string): readonly string[] {
  return readToml(text, file).tables("dependencies", (dependency) => {
    const uri = dependency.optionalString("uri");
    const image = dependency.optionalString("image");
    if (uri === undefined && image === undefined) throw dependency.error("a dependency needs a uri", []);
    return uri ?? `docker://${image}`;
  });
}
