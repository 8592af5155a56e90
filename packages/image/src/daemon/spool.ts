import { randomUUID } from "node:crypto";
import { type FileHandle, open, unlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ImageError } from "../errors.ts";

const chunkSize = 1024 * 1024;

/** A file without a name, which is gone with this process however it ends: holds one stream at a time. */
export class Spool {
  readonly #file: FileHandle;
  #size = 0;

  private constructor(file: FileHandle) {
    this.#file = file;
  }

  /** @throws ImageError `refused` if the directory for temporary files cannot be written */
  static async open(): Promise<Spool> {
    const path = join(tmpdir(), `lifecycle-${randomUUID()}`);
    try {
      const file = await open(path, "wx+", 0o600);
      await unlink(path);
      return new Spool(file);
    } catch (cause) {
      throw refused(cause);
    }
  }

  /** Of what it holds, in bytes. */
  get size(): number {
    return this.#size;
  }

  /** Replaces what it holds. */
  async write(stream: AsyncIterable<Uint8Array>): Promise<void> {
    this.#size = 0;
    for await (const chunk of stream) {
      try {
        for (let written = 0; written < chunk.length; ) {
          const { bytesWritten } = await this.#file.write(chunk, written, chunk.length - written, this.#size);
          written += bytesWritten;
          this.#size += bytesWritten;
        }
      } catch (cause) {
        throw refused(cause);
      }
    }
  }

  /** What it holds. */
  async *read(): AsyncGenerator<Uint8Array> {
    for (let position = 0; position < this.#size; ) {
      const chunk = Buffer.allocUnsafe(Math.min(chunkSize, this.#size - position));
      const { bytesRead } = await this.#file.read(chunk, 0, chunk.length, position);
      if (bytesRead === 0) throw refused(new Error("it ends too early"));
      position += bytesRead;
      yield chunk.subarray(0, bytesRead);
    }
  }

  async close(): Promise<void> {
    await this.#file.close();
  }
}

function refused(cause: unknown): ImageError {
  const { message } = cause as Error;
  return new ImageError("refused", `a temporary file for layers from the docker daemon: ${message}`, { cause });
}
