import { existsSync } from "node:fs";
import { nameOf } from "@lifecycle/buildpack";
import type { DockerfileKind } from "@lifecycle/dockerfile";
import { findDockerfiles } from "@lifecycle/extender";
import { generate } from "@lifecycle/generator";
import type { ImageStore } from "@lifecycle/image";
import { type Environment, ExitCode, failedTo, type PhaseContext, readOrder, writeAnalyzed } from "@lifecycle/phase";
import { updateRunImage } from "@lifecycle/restorer";
import type { Analyzed, Group, Plan } from "@lifecycle/spec-types";
import type { ExtensionWorker } from "./extension-worker.ts";

/** What the build goes on with once the image extensions have generated their Dockerfiles. */
export interface Generated {
  readonly analyzed: Analyzed;
  readonly plan: Plan;
  /** The images that are to be extended, in that order. */
  readonly toExtend: readonly DockerfileKind[];
}

/** Whether image extensions may take part, as far as that is known before detection. */
export function mayHaveExtensions({ inputs }: Pick<PhaseContext, "inputs">): boolean {
  if (inputs.platformApi.lessThan("0.10")) return false;
  // it may bring an order of its own
  if (inputs.prepare) return true;
  try {
    return existsSync(inputs.orderPath) && readOrder(inputs.orderPath).orderExtensions.length > 0;
  } catch {
    // detection says what is wrong
    return false;
  }
}

/**
 * Runs bin/generate of the extensions that take part, and finds the run image that they choose.
 *
 * @param worker absent if this was not started as root
 * @param detected what is known until then
 * @throws LifecycleError with exit code 102 if an image is to be extended and nobody can
 */
export async function generateDockerfiles(
  context: PhaseContext,
  images: ImageStore,
  worker: ExtensionWorker | undefined,
  group: Group,
  detected: { readonly analyzed: Analyzed; readonly plan: Plan },
): Promise<Generated> {
  const { inputs, logger } = context;
  const extensions = group.groupExtensions;
  // What bin/detect left running could change what root is going to do.
  await worker?.stopOthers();
  const { analyzed: generated, plan } = await generate({ ...inputs, ...context, ...detected, extensions });
  await worker?.stopOthers();
  const toExtend = imagesToExtend(context, group, generated);
  if (toExtend.length > 0 && worker === undefined) {
    const cause = `${toExtend.join(" and ")} image to be extended by ${extensions.map(nameOf).join(", ")}`;
    const remedy = inputs.platformApi.lessThan("0.10")
      ? "that takes Platform API 0.10 or later"
      : "only root can do that: start creator as root; buildpacks still run as the build user";
    throw failedTo("extend images", `${cause}; ${remedy}`, ExitCode.extendError);
  }
  const analyzed = await updateRunImage(context, { images }, generated, group);
  if (analyzed !== generated) writeAnalyzed(inputs.analyzedPath, analyzed, logger);
  return { analyzed, plan, toExtend };
}

function imagesToExtend({ inputs, logger }: PhaseContext, group: Group, { runImage }: Analyzed): DockerfileKind[] {
  const kinds: DockerfileKind[] = [];
  const extensions = group.groupExtensions;
  if (findDockerfiles({ ...inputs, kind: "build", extensions }).length > 0) {
    kinds.push("build");
  }
  if (runImage?.extend === true) {
    if (inputs.platformApi.atLeast("0.12")) kinds.push("run");
    else logger.warn("The run image is not extended, which takes Platform API 0.12 or later");
  }
  return kinds;
}

/** Has the images extended. @returns the environment to build in */
export async function extendImages(
  context: PhaseContext,
  worker: ExtensionWorker,
  group: Group,
  { toExtend, analyzed }: Generated,
): Promise<Environment> {
  const { inputs, logger, env } = context;
  const extendInputs = { inputs, extensions: group.groupExtensions };
  let changed: Readonly<Record<string, string>> = {};
  for (const kind of toExtend) {
    logger.phase(`EXTENDING (${kind.toUpperCase()})`);
    if (kind === "build") changed = await worker.extendBuildImage(extendInputs);
    else inputs.extendedDir = await worker.extendRunImage(extendInputs, analyzed.runImage?.reference ?? "");
  }
  return { ...env, ...changed };
}
