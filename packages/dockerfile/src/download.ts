import { createHash } from "node:crypto";
import { createWriteStream } from "node:fs";
import { rm } from "node:fs/promises";
import { join, posix } from "node:path";
import { pipeline } from "node:stream/promises";
import type { Downloader } from "@lifecycle/image";
import { messageOf } from "@lifecycle/syscall";
import { InstructionError } from "./error.ts";

/** A file that ADD fetched. */
export interface Download {
  /** Where it lies until `remove` is called. */
  readonly path: string;
  /** The last name of the URL's path; empty if there is none. */
  readonly name: string;
  /** The sha256 of its contents, in hex. */
  readonly digest: string;
  remove(): Promise<void>;
}

/** How large a fetched file may be, in bytes. */
const downloadLimit = 2 ** 36;

/** Whether a source of ADD is fetched from elsewhere. */
export function isUrl(source: string): boolean {
  return /^https?:\/\//i.test(source);
}

/** Whether a source of ADD is a Git repository, which this engine does not fetch. */
export function isGitRepository(source: string): boolean {
  return /^(?:git@|git:\/\/|ssh:\/\/)/.test(source) || /^https?:\/\/.*\.git(?:#.*)?$/.test(source);
}

/**
 * Fetches a file.
 * @param downloader with its trust, proxies and patience
 * @param directory where it is put
 * @param checksum `sha256:<hex>` that it must have
 * @throws InstructionError `failed` if it cannot be had, or has another checksum
 */
export async function download(
  url: string,
  downloader: Downloader,
  directory: string,
  checksum: string | undefined,
  signal: AbortSignal,
): Promise<Download> {
  const path = join(
    directory,
    `download-${process.pid}-${createHash("sha256").update(url).digest("hex").slice(0, 16)}`,
  );
  const remove = () => rm(path, { force: true });
  try {
    const found = await downloader.fetch(new URL(url), downloadLimit);
    const hash = createHash("sha256");
    await pipeline(
      async function* () {
        for await (const chunk of found?.body ?? []) {
          hash.update(chunk);
          yield chunk;
        }
      },
      createWriteStream(path, { mode: 0o600 }),
      { signal },
    );
    const digest = hash.digest("hex");
    if (checksum !== undefined && checksum !== `sha256:${digest}`) {
      throw new InstructionError("failed", `it has digest sha256:${digest} instead of ${checksum}`);
    }
    return { path, name: posix.basename(new URL(url).pathname), digest, remove };
  } catch (error) {
    await remove();
    signal.throwIfAborted();
    throw new InstructionError("failed", `it cannot be fetched: ${messageOf(error)}`, { cause: error });
  }
}
