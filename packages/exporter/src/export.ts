import { join } from "node:path";
import { escapeId, readOutputFile } from "@lifecycle/buildpack";
import type { ImageStore } from "@lifecycle/image";
import type { LayerFactory } from "@lifecycle/layers";
import {
  ExitCode,
  failedTo,
  type Logger,
  lifecycleVersion,
  readBuildMetadata,
  saveImage,
  timed,
  whilst,
} from "@lifecycle/phase";
import {
  type Analyzed,
  type ApiVersion,
  type BomEntry,
  type GroupElement,
  type LayersMetadata,
  type ProjectMetadata,
  parseBuildToml,
  type Report,
  type RunImageForExport,
} from "@lifecycle/spec-types";
import { LayerAdder } from "./add-layers.ts";
import { extensionLayers } from "./extended-run-image.ts";
import { entrypointOf, setEnvironment } from "./image-config.ts";
import { setLabels } from "./labels.ts";
import { copyLifecycleSboms } from "./lifecycle-sboms.ts";
import type { StartedImage } from "./start-image.ts";

/** What the exporter works on. Directories are absolute. */
export interface ExportOptions extends StartedImage {
  readonly platformApi: ApiVersion;
  readonly logger: Logger;
  /** Where the app image goes. */
  readonly images: ImageStore;
  /** What logs and report.toml call an image. */
  nameOf(image: string): string;
  /** Makes layers of directories; shared with the export of the cache, so that each is read once. */
  readonly factory: LayerFactory;
  readonly appDir: string;
  readonly layersDir: string;
  readonly launcherPath: string;
  /** Where the SBOM files of the launcher are. */
  readonly launcherSbomDir: string;
  /** The buildpacks that took part, in order. */
  readonly group: readonly GroupElement[];
  readonly analyzed: Analyzed;
  readonly runImageForExport: RunImageForExport;
  readonly project: ProjectMetadata;
  /** The process type that the user wants to be the default, or nothing. */
  readonly defaultProcessType: string;
  readonly execEnv: string;
  readonly outputImage: string;
  readonly tags: readonly string[];
}

/**
 * Makes the app image of the run image, the buildpacks' launch layers, the application and the launcher, and stores it
 * under all its names (platform.md, "exporter").
 *
 * @returns what report.toml is to say
 * @throws LifecycleError with exit code 62
 */
export async function exportImage(options: ExportOptions): Promise<Report> {
  try {
    return await timed("Exporter", options.logger, () => buildAndSave(options));
  } catch (error) {
    throw failedTo("export", error, ExitCode.exportError);
  }
}

async function buildAndSave(options: ExportOptions): Promise<Report> {
  const { platformApi, logger, layersDir, appDir, group, analyzed, runImage, extended, draft } = options;
  if (platformApi.atLeast("0.11")) {
    copyLifecycleSboms(layersDir, options.launcherSbomDir, logger);
  }
  const build = await whilst("read build metadata", () => readBuildMetadata(layersDir, platformApi));
  const runImageMetadata = {
    topLayer: draft.topLayer ?? "",
    reference: runImage.identifier,
    ...(platformApi.atLeast("0.12") ? options.runImageForExport : {}),
  };

  const adder = new LayerAdder(draft, options.factory, analyzed.layersMetadata, logger);
  if (extended !== undefined) {
    adder.extensionLayers(await extensionLayers(extended, runImage));
  }
  const buildpacks = await adder.buildpackLayers(group, layersDir);
  const sbom = platformApi.atLeast("0.8") ? await adder.sbomLayer(layersDir) : undefined;
  const app = await whilst("exporting app layers: creating app layers", () => adder.appLayers(appDir, build.slices));
  const processTypes = build.processes.map(({ type }) => type);
  const launcherLayers = await whilst("creating launcher layers", () =>
    adder.launcherLayers(options.launcherPath, layersDir, processTypes),
  );

  const layersMetadata: LayersMetadata = {
    app,
    sbom,
    buildpacks,
    ...launcherLayers,
    runImage: runImageMetadata,
    stack: { runImage: options.runImageForExport },
  };
  const launcher = { version: lifecycleVersion(), source: { git: { repository: "", commit: "" } } };
  setLabels(draft, { ...options, layersMetadata, buildMetadata: build, launcher });
  setEnvironment(draft, options);
  logger.debug(`Setting WORKDIR: '${appDir}'`);
  draft.setWorkingDir(appDir);
  const entrypoint = await whilst("determining entrypoint", () =>
    entrypointOf(build, options.defaultProcessType, logger),
  );
  logger.debug(`Setting ENTRYPOINT: '${entrypoint}'`);
  draft.setEntrypoint([entrypoint]);
  draft.setCmd([]);

  const bom = platformApi.lessThan("0.9") ? legacyBom(group, layersDir) : undefined;
  const image = await saveImage(options.images, draft, [options.outputImage, ...options.tags], logger, options.nameOf);
  return { build: bom === undefined ? undefined : { bom }, image };
}

/** The bills of materials of the build environment, as buildpacks wrote them before there were SBOM files. */
function legacyBom(group: readonly GroupElement[], layersDir: string): BomEntry[] {
  return group.flatMap(({ id, version }) => {
    const path = join(layersDir, escapeId(id), "build.toml");
    const text = readOutputFile(path);
    const entries = text === undefined ? [] : parseBuildToml(text, path).bom;
    return entries.map((entry) => ({ ...entry, buildpack: { id, version } }));
  });
}
