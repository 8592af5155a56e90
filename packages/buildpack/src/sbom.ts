import { basename, join } from "node:path";
import type { LayerToml } from "@lifecycle/spec-types";
import type { Buildpack } from "./module.ts";
import { nameOf } from "./module.ts";
import { readDirSorted } from "./read-dir.ts";

/** An SBOM file that a buildpack wrote, and which of the image, the build and the cache it is about. */
export interface SbomFile {
  readonly buildpackId: string;
  /** Empty for launch.sbom.* and build.sbom.*, which are about no layer in particular. */
  readonly layerName: string;
  readonly layerType: "build" | "cache" | "launch";
  /** Absolute path. */
  readonly path: string;
}

/** Media types by the ends of file names. Buildpack spec, "Software-Bill-of-Materials". */
const mediaTypes = [
  { end: "sbom.cdx.json", mediaType: "application/vnd.cyclonedx+json" },
  { end: "sbom.spdx.json", mediaType: "application/spdx+json" },
  { end: "sbom.syft.json", mediaType: "application/vnd.syft+json" },
] as const;

/** Paths of the files in a buildpack's layers directory whose names are those of SBOM files. */
export function listSbomFiles(buildpackLayersDir: string): readonly string[] {
  return readDirSorted(buildpackLayersDir)
    .filter(({ name }) => /\.sbom\..*\.json$/s.test(name))
    .map(({ name }) => join(buildpackLayersDir, name));
}

/**
 * The SBOM files that a buildpack wrote, for its layers, for launch or for build. Files of what is no layer are passed
 * over.
 *
 * @param layers the buildpack's layers by the paths of their directories
 * @throws Error if a file is in a format that does not exist or that buildpack.toml does not declare
 */
export function collectSbomFiles(
  buildpack: Buildpack,
  buildpackLayersDir: string,
  layers: ReadonlyMap<string, LayerToml>,
): readonly SbomFile[] {
  const files = listSbomFiles(buildpackLayersDir).flatMap((path) => describe(buildpack, path, layers));
  for (const { path } of files) checkFormat(buildpack, path);
  return files;
}

/** The name under which an SBOM file goes into the image, `sbom.<format>.json`. */
export function sbomFileName(path: string): string {
  const format = formatOf(path);
  if (format === undefined) throw new Error(`unsupported SBOM format: '${path}'`);
  return format.end;
}

function describe(buildpack: Buildpack, path: string, layers: ReadonlyMap<string, LayerToml>): readonly SbomFile[] {
  const name = basename(path).split(".", 1)[0] ?? "";
  const file = { buildpackId: buildpack.info.id, path };
  if (name === "launch" || name === "build") return [{ ...file, layerName: "", layerType: name }];
  const layer = layers.get(join(path, "..", name));
  if (layer === undefined) return [];
  const layerType = layer.launch ? "launch" : "build";
  const found: SbomFile = { ...file, layerName: name, layerType };
  return layer.cache ? [found, { ...found, layerType: "cache" }] : [found];
}

function checkFormat({ info }: Buildpack, path: string): void {
  const format = formatOf(path);
  if (format === undefined) throw new Error(`unsupported SBOM file format: '${path}'`);
  if (!info.sbomFormats.map(withoutParameters).includes(format.mediaType)) {
    throw new Error(
      `validating SBOM file '${path}' for buildpack: '${nameOf(info)}': ` +
        `undeclared SBOM media type: '${format.mediaType}'`,
    );
  }
}

function formatOf(path: string): (typeof mediaTypes)[number] | undefined {
  return mediaTypes.find(({ end }) => basename(path).endsWith(`.${end}`));
}

/** `application/spdx+json; version=2.3` is `application/spdx+json`. */
function withoutParameters(mediaType: string): string {
  return (mediaType.split(";", 1)[0] ?? "").trim().toLowerCase();
}
