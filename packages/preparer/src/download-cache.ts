import { createHash, randomUUID } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, utimesSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { type Digest, digestHex, digestOfFile, ImageError } from "@lifecycle/image";
import { writeFileAtomic } from "@lifecycle/phase";

/** After how long what no build has used is deleted, in milliseconds. */
const unusedFor = 30 * 24 * 60 * 60 * 1000;

/** A file and its digest. */
export interface StoredFile {
  readonly path: string;
  readonly digest: Digest;
}

/** What was downloaded, by digest: `<dir>/sha256/<hex>`, and `<dir>/etags/` for what servers said of it. */
export class DownloadCache {
  readonly #dir: string;

  /** @param dir made when needed */
  constructor(dir: string) {
    this.#dir = dir;
  }

  /** The file with that digest, whose bytes are checked; one that is damaged is deleted. */
  async find(digest: Digest): Promise<StoredFile | undefined> {
    const path = this.#pathOf(digest);
    if (!existsSync(path)) return undefined;
    if ((await digestOfFile(path)) !== digest) {
      rmSync(path, { force: true });
      return undefined;
    }
    const now = new Date();
    utimesSync(path, now, now);
    return { path, digest };
  }

  /**
   * Stores a file under its digest.
   *
   * @param expected what its digest has to be, if that is known
   * @throws ImageError `corrupt` if it is another
   */
  async store(source: AsyncIterable<Uint8Array>, what: string, expected?: Digest): Promise<StoredFile> {
    mkdirSync(join(this.#dir, "sha256"), { recursive: true });
    const temporary = join(this.#dir, `${randomUUID()}.tmp`);
    const hash = createHash("sha256");
    const file = await open(temporary, "wx", 0o600);
    try {
      for await (const chunk of source) {
        hash.update(chunk);
        for (let at = 0; at < chunk.length; ) at += (await file.write(chunk, at)).bytesWritten;
      }
      const digest: Digest = `sha256:${hash.digest("hex")}`;
      if (expected !== undefined && digest !== expected) {
        throw new ImageError("corrupt", `${what}: expected digest ${expected}, found ${digest}`);
      }
      renameSync(temporary, this.#pathOf(digest));
      return { path: this.#pathOf(digest), digest };
    } finally {
      await file.close();
      rmSync(temporary, { force: true });
    }
  }

  /** The copy of what a URL had, and the tag that its server gave it. */
  async copyOf(url: URL): Promise<{ readonly etag: string; readonly file: StoredFile } | undefined> {
    try {
      const [etag = "", digest = ""] = readFileSync(this.#tagPath(url), "utf8").split("\n");
      const file = await this.find(digest as Digest);
      return file && { etag, file };
    } catch {
      return undefined;
    }
  }

  rememberTag(url: URL, etag: string, { digest }: StoredFile): void {
    writeFileAtomic(this.#tagPath(url), `${etag}\n${digest}\n`);
  }

  /** Deletes what no build has used for a month, and what a killed one left. */
  prune(): void {
    for (const dir of [this.#dir, join(this.#dir, "sha256"), join(this.#dir, "etags")]) {
      for (const name of existsSync(dir) ? readdirSync(dir) : []) {
        const path = join(dir, name);
        const stats = statSync(path, { throwIfNoEntry: false });
        const age = Date.now() - (stats?.mtimeMs ?? Date.now());
        if (stats?.isFile() && age > unusedFor) rmSync(path, { force: true });
      }
    }
  }

  #pathOf(digest: Digest): string {
    const hex = digestHex(digest);
    if (!/^[0-9a-f]{64}$/.test(hex)) throw new ImageError("invalid", `${digest} is no digest`);
    return join(this.#dir, "sha256", hex);
  }

  #tagPath(url: URL): string {
    return join(this.#dir, "etags", createHash("sha256").update(url.href).digest("hex"));
  }
}
