import type { RuntimeConfig } from "@lifecycle/image";
import type { Place } from "./error.ts";
import type { Instruction } from "./instruction.ts";
import { parseTrigger } from "./parse.ts";

/** A config with one more trigger for the builds that are based on its image. */
export function withTrigger(config: RuntimeConfig, trigger: string): RuntimeConfig {
  return { ...config, OnBuild: [...triggersOf(config), trigger] };
}

/**
 * The instructions that the base image's ONBUILD left, which come before those of the Dockerfile.
 * @param place of the FROM that names the base image
 * @throws DockerfileError as `parseTrigger` does
 */
export function triggeredInstructions(base: RuntimeConfig, place: Place): Instruction[] {
  return triggersOf(base).map((trigger) => parseTrigger(trigger, place));
}

function triggersOf({ OnBuild }: RuntimeConfig): readonly string[] {
  return Array.isArray(OnBuild) ? OnBuild.filter((trigger) => typeof trigger === "string") : [];
}
