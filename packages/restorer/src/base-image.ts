import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { type Digest, digestOf, type Image, type KnownConfig, openLayout, writeSparseLayout } from "@lifecycle/image";
import { inContext, type Logger, whilst } from "@lifecycle/phase";
import { messageOf } from "@lifecycle/syscall";

/**
 * Copies manifest and config of an image that is to be extended to `<kaniko-dir>/cache/base/<digest>`, an OCI layout
 * without layers: whoever extends the image has its files. A copy that is there, and whole, stays.
 *
 * @param open finds the image; is handed the config if the copy has it
 * @throws Error when there is no image, or the copy cannot be written
 */
export async function copyBaseImage(
  kanikoDir: string,
  open: (known: KnownConfig) => Promise<Image | undefined>,
  logger: Logger,
): Promise<Image> {
  const directory = join(kanikoDir, "cache", "base");
  await mkdir(directory, { recursive: true }).catch((error: unknown) => {
    const remedy = `mount a volume at ${kanikoDir} that the user of the restorer can write to`;
    throw new Error(`failed to create cache directory: ${messageOf(error)}; ${remedy}`, { cause: error });
  });

  const readCopy = (digest: Digest) => openLayout(join(directory, digest), { digest }).catch(() => undefined);
  const known: KnownConfig = async (_, digest) => (await readCopy(digest))?.bytes?.config;
  const image = await whilst("failed to initialize remote image", () => open(known));
  if (image?.bytes === undefined) {
    throw new Error("failed to get remote image: there is none of that name for this machine's platform");
  }

  const digest = digestOf(image.bytes.manifest);
  if ((await readCopy(digest)) !== undefined) {
    return image;
  }
  const path = join(directory, digest);
  logger.debug(`Saving image metadata to ${path}...`);
  try {
    await writeSparseLayout(path, image.bytes);
  } catch (error) {
    throw inContext("failed to save layout image", error);
  }
  return image;
}
