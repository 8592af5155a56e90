import type { ImageDraft, ImageStore, SavedImage } from "@lifecycle/image";
import type { ImageReport } from "@lifecycle/spec-types";
import { inContext } from "./errors.ts";
import type { Logger } from "./logger.ts";
import { timed } from "./timer.ts";

/**
 * Stores an image under all its names; says under which, and which of them failed.
 *
 * @param nameOf what logs and the report call the image of a name
 * @returns what report.toml is to say of it
 * @throws LifecycleError or Error also when only some of the names failed
 */
export function saveImage(
  images: ImageStore,
  draft: ImageDraft,
  names: readonly [string, ...string[]],
  logger: Logger,
  nameOf: (name: string) => string = (name) => name,
): Promise<ImageReport> {
  const name = nameOf(names[0]);
  return timed(`Saving ${name}...`, logger, async () => {
    logger.info(`Saving ${name}...`);
    const saved = await images.save(draft, names).catch((error: unknown) => {
      throw inContext("saving image", error);
    });
    logger.info(`*** Images (${saved.shortId}):`);
    for (const each of names) {
      const failure = saved.failures.get(each);
      logger.info(`      ${nameOf(each)}${failure === undefined ? "" : ` - ${failure.message}`}`);
    }
    const { digest, imageId, manifestSize } = saved.report;
    if (imageId !== undefined) {
      logger.debug(`\n*** Image ID: ${imageId}`);
    }
    if (digest !== undefined) {
      logger.debug(`\n*** Digest: ${digest}`);
    }
    if (manifestSize !== undefined) {
      logger.debug(`\n*** Manifest Size: ${manifestSize}`);
    }
    throwFailures(saved);
    return { tags: names.map(nameOf), digest, imageId, manifestSize };
  });
}

function throwFailures({ failures }: SavedImage): void {
  if (failures.size > 0) {
    const details = [...failures].map(([name, error]) => `[${name}: ${error.message}]`).join(" ");
    throw new Error(`failed to write image to the following tags: ${details}`);
  }
}
