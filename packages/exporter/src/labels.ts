import type { ImageDraft } from "@lifecycle/image";
import type { Logger } from "@lifecycle/phase";
import {
  type ApiVersion,
  BUILD_METADATA_LABEL,
  type BuildMetadata,
  EXEC_ENV_LABEL,
  formatBuildMetadataLabel,
  formatLayersMetadataLabel,
  formatProjectMetadataLabel,
  type LauncherMetadata,
  type LayersMetadata,
  LIFECYCLE_METADATA_LABEL,
  PROJECT_METADATA_LABEL,
  type ProjectMetadata,
} from "@lifecycle/spec-types";

/** What the labels of an app image say. */
export interface LabelOptions {
  readonly platformApi: ApiVersion;
  readonly logger: Logger;
  readonly layersMetadata: LayersMetadata;
  readonly buildMetadata: BuildMetadata;
  readonly launcher: LauncherMetadata;
  readonly project: ProjectMetadata;
  readonly execEnv: string;
}

/** Sets the labels of the lifecycle, then those of the buildpacks, which may override them (platform.md, "Labels"). */
export function setLabels(image: ImageDraft, options: LabelOptions): void {
  const { platformApi, buildMetadata, execEnv } = options;
  const set = (name: string, value: string): void => {
    options.logger.info(`Adding label '${name}'`);
    image.setLabel(name, value);
  };
  set(LIFECYCLE_METADATA_LABEL, formatLayersMetadataLabel(options.layersMetadata));
  set(BUILD_METADATA_LABEL, formatBuildMetadataLabel(buildMetadata, options.launcher, platformApi));
  set(PROJECT_METADATA_LABEL, formatProjectMetadataLabel(options.project));
  for (const { key, value } of buildMetadata.labels) {
    set(key, value);
  }
  if (platformApi.atLeast("0.15") && execEnv !== "") {
    set(EXEC_ENV_LABEL, execEnv);
  }
}
