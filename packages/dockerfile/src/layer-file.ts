import { createReadStream } from "node:fs";
import type { Readable } from "node:stream";
import { createGunzip } from "node:zlib";
import { type Digest, type Layer, verified } from "@lifecycle/image";

/** How much is read from a file at once, in bytes. */
const chunkSize = 1 << 20;

/** How much of what is decompressed is taken from the thread pool at once, in bytes. */
const unzippedSize = 1 << 18;

/** What is known of a layer whose blob lies in a file. */
export interface LayerFacts {
  /** Of the uncompressed tar. */
  readonly diffId: Digest;
  /** Of the gzip file. */
  readonly digest: Digest;
  /** Of the gzip file, in bytes. */
  readonly size: number;
}

/** A layer that one instruction made, as a gzip file. */
export class LayerFile implements Layer, LayerFacts {
  readonly diffId: Digest;
  readonly digest: Digest;
  readonly size: number;
  /** Where the gzip file lies. */
  readonly path: string;

  constructor(path: string, facts: LayerFacts) {
    this.path = path;
    this.diffId = facts.diffId;
    this.digest = facts.digest;
    this.size = facts.size;
  }

  compressed(): AsyncIterable<Uint8Array> {
    return verified(this.stored(), this.digest, this.size, this.path);
  }

  /** The same without a check, for who checks the digest anyway. */
  stored(): Readable {
    return createReadStream(this.path, { highWaterMark: chunkSize });
  }

  uncompressed(): AsyncIterable<Uint8Array> {
    const unzipped = createGunzip({ chunkSize: unzippedSize });
    const file = this.stored();
    file.on("error", (error) => unzipped.destroy(error));
    return verified(file.pipe(unzipped), this.diffId, undefined, this.path);
  }
}
