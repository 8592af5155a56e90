import { Header } from "tar/header";
import { type Digest, digestHex, digestOf } from "../digest.ts";
import { ImageError } from "../errors.ts";

/** A layer as a load archive has it. */
export interface ArchivedLayer {
  readonly diffId: Digest;
  /** Of its tar, in bytes. */
  readonly size: number;
  readonly contents: AsyncIterable<Uint8Array>;
}

/** What a load archive is made of. */
export interface LoadedImage {
  readonly config: Uint8Array;
  /** All layers of the image, in order. */
  readonly diffIds: readonly Digest[];
  /** Those among them, by index, that the daemon has: an empty file stands for each. */
  readonly held: ReadonlySet<number>;
  /** Gives the others, each once, in any order. */
  layers(): AsyncIterable<ArchivedLayer>;
  /** The name that the image gets, with its tag. */
  readonly name: string;
}

const blockSize = 512;

/**
 * The archive of an image as `docker load` reads it, made while it is read: config, layers uncompressed, and last a
 * manifest that says which is which.
 *
 * Docker looks a layer up by the chain of layers below it before it reads the layer's file, Podman by its diff ID; for
 * a layer that it has, the file must be there but is not looked at.
 * @throws ImageError `not-found` if a layer is not given; whatever the layers' streams throw
 */
export async function* loadArchive(image: LoadedImage): AsyncGenerator<Uint8Array> {
  const configName = `${digestHex(digestOf(image.config))}.json`;
  yield* file(configName, image.config);

  const missing = new Set(image.diffIds.filter((_, index) => !image.held.has(index)));
  for await (const { diffId, size, contents } of image.layers()) {
    if (!missing.delete(diffId)) continue;
    yield header(layerName(diffId), size);
    yield* exactly(contents, size, diffId);
    yield padding(size);
  }
  const [lost] = missing;
  if (lost !== undefined) {
    throw new ImageError("not-found", `layer with diff ID ${lost}: the docker daemon did not give it out`);
  }

  const names = image.diffIds.map((diffId, index) => (image.held.has(index) ? `blank_${index}` : layerName(diffId)));
  for (const index of image.held) yield header(`blank_${index}`, 0);
  const manifest = [{ Config: configName, RepoTags: [image.name], Layers: names }];
  yield* file("manifest.json", Buffer.from(JSON.stringify(manifest)));
  yield Buffer.alloc(2 * blockSize);
}

function layerName(diffId: Digest): string {
  return `${digestHex(diffId)}.tar`;
}

function* file(name: string, contents: Uint8Array): Generator<Uint8Array> {
  yield header(name, contents.length);
  yield contents;
  yield padding(contents.length);
}

function header(name: string, size: number): Uint8Array {
  const block = Buffer.alloc(blockSize);
  new Header({ path: name, size, type: "File", mode: 0o644, uid: 0, gid: 0, mtime: new Date(0) }).encode(block);
  return block;
}

function padding(size: number): Uint8Array {
  return Buffer.alloc(-size & (blockSize - 1));
}

/** A file that is longer or shorter than its header says would make another archive of what follows. */
async function* exactly(source: AsyncIterable<Uint8Array>, size: number, diffId: Digest): AsyncGenerator<Uint8Array> {
  let length = 0;
  for await (const chunk of source) {
    length += chunk.length;
    if (length > size) break;
    yield chunk;
  }
  if (length !== size) {
    throw new ImageError(
      "corrupt",
      `layer ${diffId}: expected ${size} bytes, found ${length > size ? "more" : length}`,
    );
  }
}
