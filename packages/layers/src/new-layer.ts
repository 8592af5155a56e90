import { createHash } from "node:crypto";
import { setImmediate } from "node:timers/promises";
import { type Digest, ImageError, type Layer } from "@lifecycle/image";
import { gzip } from "./gzip.ts";
import type { TarEntry } from "./tar-entry.ts";
import { chunkSize, tarStream } from "./tar-stream.ts";

/** How much is hashed before other work gets its turn, in bytes: about 10 ms. */
const turnLength = 16 * chunkSize;

/** A layer made from files. It holds no bytes: each stream reads the files anew and checks that they are as they were. */
export class NewLayer implements Layer {
  /** What the lifecycle calls it in its logs, such as `vendor/buildpack:layer`. */
  readonly id: string;
  /** What made it, for the image's history. */
  readonly createdBy: string;
  readonly diffId: Digest;
  /** The size of the uncompressed tar in bytes. */
  readonly size: number;
  readonly #entries: () => Iterable<TarEntry>;

  private constructor(
    id: string,
    createdBy: string,
    entries: () => Iterable<TarEntry>,
    measured: { readonly diffId: Digest; readonly size: number },
  ) {
    this.id = id;
    this.createdBy = createdBy;
    this.#entries = entries;
    this.diffId = measured.diffId;
    this.size = measured.size;
  }

  /**
   * Reads the files once to know the layer's digest.
   * @param entries gives what the layer holds, in its order, each time it is called
   * @throws LayerError `changed` or `unreadable`
   */
  static async of(id: string, createdBy: string, entries: () => Iterable<TarEntry>): Promise<NewLayer> {
    return new NewLayer(id, createdBy, entries, await measure(entries()));
  }

  compressed(): AsyncIterable<Uint8Array> {
    return gzip(this.uncompressed());
  }

  async *uncompressed(): AsyncGenerator<Uint8Array> {
    const hash = createHash("sha256");
    for (const chunk of tarStream(this.#entries())) {
      hash.update(chunk);
      yield chunk;
    }
    const found: Digest = `sha256:${hash.digest("hex")}`;
    if (found !== this.diffId) {
      const what = `the files of layer '${this.id}' were changed while it was exported`;
      throw new ImageError("corrupt", `${what}: its diff ID was ${this.diffId} and is now ${found}`);
    }
  }
}

async function measure(entries: Iterable<TarEntry>): Promise<{ diffId: Digest; size: number }> {
  const hash = createHash("sha256");
  let size = 0;
  for (const chunk of tarStream(entries, { reuseBuffer: true })) {
    hash.update(chunk);
    size += chunk.length;
    if (size % turnLength === 0) await setImmediate();
  }
  return { diffId: `sha256:${hash.digest("hex")}`, size };
}
