import { mkdir, mkdtemp } from "node:fs/promises";
import { join } from "node:path";
import { type SourceImage, unpackLayer } from "@lifecycle/dockerfile";
import type { Image } from "@lifecycle/image";
import { baseFrom } from "./base-image.ts";
import { unpackImage } from "./unpack-image.ts";

/** The images that `COPY --from` names, each unpacked once at most. */
export class OtherImages {
  readonly #open: (reference: string) => Promise<Image | undefined>;
  readonly #directory: string;
  readonly #signal: AbortSignal;
  readonly #images = new Map<string, Promise<SourceImage>>();

  /**
   * @param open finds an image by its name
   * @param directory a private one, where they are unpacked
   */
  constructor(open: (reference: string) => Promise<Image | undefined>, directory: string, signal: AbortSignal) {
    this.#open = open;
    this.#directory = directory;
    this.#signal = signal;
  }

  /**
   * An image by its name.
   * @throws Error if there is none, or it cannot be read
   */
  open(reference: string): Promise<SourceImage> {
    const image = this.#images.get(reference) ?? this.#find(reference);
    this.#images.set(reference, image);
    return image;
  }

  async #find(reference: string): Promise<SourceImage> {
    const image = await this.#open(reference);
    if (image === undefined) throw new Error(`image '${reference}' not found`);
    const { identity } = baseFrom(image);
    let root: Promise<string> | undefined;
    return {
      identity,
      root: () => {
        root ??= this.#unpack(image, reference);
        return root;
      },
    };
  }

  async #unpack(image: Image, reference: string): Promise<string> {
    await mkdir(this.#directory, { recursive: true, mode: 0o700 });
    const root = await mkdtemp(join(this.#directory, "image-"));
    await unpackImage(image, reference, (layer) => unpackLayer(layer, root, this.#signal));
    return root;
  }
}
