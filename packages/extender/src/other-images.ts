import { mkdir, mkdtemp } from "node:fs/promises";
import { join } from "node:path";
import { unpackLayer } from "@lifecycle/dockerfile";
import { type Image, readLayers } from "@lifecycle/image";

/** The roots of images that `COPY --from` names, each unpacked once. */
export class OtherImages {
  readonly #open: (reference: string) => Promise<Image | undefined>;
  readonly #directory: string;
  readonly #signal: AbortSignal;
  readonly #roots = new Map<string, Promise<string>>();

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
   * The directory that holds an image's root.
   * @throws Error if there is no such image, or it cannot be read
   */
  root(reference: string): Promise<string> {
    const root = this.#roots.get(reference) ?? this.#unpack(reference);
    this.#roots.set(reference, root);
    return root;
  }

  async #unpack(reference: string): Promise<string> {
    const image = await this.#open(reference);
    if (image === undefined) throw new Error(`image '${reference}' not found`);
    await mkdir(this.#directory, { recursive: true, mode: 0o700 });
    const root = await mkdtemp(join(this.#directory, "image-"));
    for await (const layer of readLayers(image)) await unpackLayer(layer, root, this.#signal);
    return root;
  }
}
