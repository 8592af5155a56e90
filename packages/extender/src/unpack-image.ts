import { type Image, readLayers } from "@lifecycle/image";
import { messageOf } from "@lifecycle/syscall";

/**
 * Hands on an image's layers, base layer first.
 * @param reference what the image is called in messages
 * @param unpack puts one into its place
 * @throws Error that says which image it is about
 */
export async function unpackImage(
  image: Image,
  reference: string,
  unpack: (layer: AsyncIterable<Uint8Array>) => Promise<void>,
): Promise<void> {
  try {
    for await (const layer of readLayers(image)) await unpack(layer);
  } catch (error) {
    throw new Error(`unpacking ${reference}: ${messageOf(error)}`, { cause: error });
  }
}
