import { existsSync } from "node:fs";
import type { Inputs, Logger } from "@lifecycle/phase";
import { DEFAULTS, LAYERS_PLACEHOLDER } from "@lifecycle/spec-types";
import { readDescriptor } from "./descriptor-file.ts";

/** Says so when an application's project.toml asks for what this build does not do, and no preparer has done. */
export function warnIfUnapplied({ appDir, layersDir }: Pick<Inputs, "appDir" | "layersDir">, logger: Logger): void {
  if (existsSync(DEFAULTS.preparedPath.replace(LAYERS_PLACEHOLDER, () => layersDir))) return;
  let asks: boolean;
  try {
    const descriptor = readDescriptor(appDir, "")?.descriptor;
    if (descriptor === undefined) return;
    const { group, pre, post, env, include, exclude, builder, lifecycle } = descriptor;
    const lists = [group, pre, post, env, include ?? [], exclude ?? [], Object.keys(lifecycle)];
    asks = builder !== undefined || lists.some((list) => list.length > 0);
  } catch {
    asks = true;
  }
  if (asks)
    logger.warn("The build settings in project.toml are not applied; -prepare or CNB_PREPARE=true applies them");
}
