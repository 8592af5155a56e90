import { Header } from "tar/header";
import { Pax } from "tar/pax";
import { ImageError } from "../errors.ts";

/** A file in an archive. */
export interface ArchivedFile {
  /** Relative, and as it was written. */
  readonly name: string;
  /** In bytes. */
  readonly size: number;
  /** To be read before the next file is asked for, if at all. */
  readonly contents: AsyncIterable<Uint8Array>;
}

const blockSize = 512;

/** How long a PAX extended header may be, in bytes. */
const maxExtendedHeader = 1024 * 1024;

/**
 * The files of a tar archive while it streams in; directories and links are passed over. The archive is read to the end
 * of its source, and given up by leaving the loop.
 * @param where what the archive is, for messages
 * @throws ImageError `corrupt` if the archive is damaged or ends too early
 */
export async function* readArchive(source: AsyncIterable<Uint8Array>, where: string): AsyncGenerator<ArchivedFile> {
  const bytes = new ByteReader(source, where);
  try {
    let extended: Pax | undefined;
    for (;;) {
      const header = new Header(await bytes.take(blockSize), 0, extended);
      extended = undefined;
      if (header.nullBlock) break;
      const { size = 0 } = header;
      if (!header.cksumValid || !Number.isSafeInteger(size) || size < 0) {
        throw new ImageError("corrupt", `${where}: the archive is damaged: a header is not valid`);
      }
      bytes.begin(size);
      if (header.type === "ExtendedHeader") {
        if (size > maxExtendedHeader) throw new ImageError("corrupt", `${where}: an extended header of ${size} bytes`);
        extended = Pax.parse((await bytes.take(size)).toString());
      } else if (header.type === "File" || header.type === "OldFile" || header.type === "ContiguousFile") {
        yield { name: header.path ?? "", size, contents: bytes.piece() };
      }
      await bytes.skip();
      bytes.begin(-size & (blockSize - 1));
      await bytes.skip();
    }
    await bytes.drain();
  } finally {
    await bytes.close();
  }
}

/** Takes a stream apart into pieces of known lengths. */
class ByteReader {
  readonly #source: AsyncIterator<Uint8Array>;
  readonly #where: string;
  /** What came of the stream and is not yet taken. */
  #rest: Uint8Array = Buffer.alloc(0);
  /** How much of the piece is not yet taken, in bytes. */
  #left = 0;

  constructor(source: AsyncIterable<Uint8Array>, where: string) {
    this.#source = source[Symbol.asyncIterator]();
    this.#where = where;
  }

  /** The next piece has so many bytes. */
  begin(length: number): void {
    this.#left = length;
  }

  /** What is left of the piece, as it comes. */
  async *piece(): AsyncGenerator<Uint8Array> {
    while (this.#left > 0) {
      while (this.#rest.length === 0) {
        const { done, value } = await this.#source.next();
        if (done) throw new ImageError("corrupt", `${this.#where}: the archive ends too early`);
        this.#rest = value;
      }
      const chunk = this.#rest.subarray(0, this.#left);
      this.#rest = this.#rest.subarray(chunk.length);
      this.#left -= chunk.length;
      yield chunk;
    }
  }

  /** A piece of so many bytes at once. */
  async take(length: number): Promise<Buffer> {
    this.begin(length);
    const chunks: Uint8Array[] = [];
    for await (const chunk of this.piece()) chunks.push(chunk);
    return Buffer.concat(chunks);
  }

  /** Passes over what is left of the piece. */
  async skip(): Promise<void> {
    for await (const _ of this.piece());
  }

  /** Reads to the end of the stream, for the sake of the connection it comes by. */
  async drain(): Promise<void> {
    while (!(await this.#source.next()).done);
  }

  async close(): Promise<void> {
    await this.#source.return?.();
  }
}
