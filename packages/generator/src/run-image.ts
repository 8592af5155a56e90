import type { Logger } from "@lifecycle/buildpack";
import { containsImage } from "@lifecycle/phase";
import type { Analyzed, ApiVersion, Run } from "@lifecycle/spec-types";
import type { GeneratedDockerfile } from "./generated-dockerfile.ts";

/** What the run.Dockerfiles come to. */
export interface RunImageChoice {
  /** The image they switch to; undefined if they keep the run image. */
  readonly switchTo: string | undefined;
  /** Whether the run image is to be extended. */
  readonly extend: boolean;
  /** Those before the last switch, which have no effect. */
  readonly ignored: ReadonlySet<GeneratedDockerfile>;
}

/**
 * The run image that the run.Dockerfiles choose: what the last one of them that does not start from `${base_image}`
 * names. Platform spec, "detector".
 *
 * @param dockerfiles in the order of the group
 */
export function chooseRunImage(dockerfiles: readonly GeneratedDockerfile[], logger: Logger): RunImageChoice {
  const runDockerfiles = dockerfiles.filter(({ kind }) => kind === "run");
  const last = runDockerfiles.findLastIndex(({ withBase }) => withBase !== undefined);
  const switching = runDockerfiles[last];
  if (switching !== undefined) {
    const { extensionId, withBase } = switching;
    // the space at the end is the reference's
    logger.debug(`Found a run.Dockerfile from extension '${extensionId}' setting run image to '${withBase}' `);
  }
  const effective = runDockerfiles.slice(Math.max(last, 0));
  return {
    switchTo: switching?.withBase,
    extend: effective.some(({ extend }) => extend),
    ignored: new Set(runDockerfiles.slice(0, Math.max(last, 0))),
  };
}

/** What analyzed.toml says once the run image is chosen. What is known of the run image goes when it is switched. */
export function withRunImage(
  analyzed: Analyzed,
  { switchTo, extend }: RunImageChoice,
  run: Run,
  platformApi: ApiVersion,
  logger: Logger,
): Analyzed {
  let { runImage } = analyzed;
  // the names are compared as they are written: a digest counts
  if (switchTo !== undefined && (platformApi.lessThan("0.12") || switchTo !== runImage?.image)) {
    if (!run.images.some((each) => containsImage(each, switchTo))) {
      logger.warn(`new runtime base image '${switchTo}' not found in run metadata`);
    }
    logger.debug(`Updating analyzed metadata with new run image '${switchTo}'`);
    runImage = { reference: switchTo, image: switchTo };
  }
  if (extend && runImage !== undefined) {
    logger.debug("Updating analyzed metadata to indicate run image extension");
    runImage = { ...runImage, extend };
  }
  return { ...analyzed, ...(runImage && { runImage }) };
}
