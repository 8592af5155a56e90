import type { Digest } from "./digest.ts";

/** A blob on its way into a store or out of it. */
export interface Transfer {
  readonly direction: "upload" | "download";
  /** Where it goes or comes from: a repository with its registry, a layout's directory, a daemon's image. */
  readonly place: string;
  /** The blob's digest; of a layer that is compressed on its way, its diff ID; undefined for a file that has none yet. */
  readonly blob: Digest | undefined;
  /** The blob's size in bytes; undefined if it is known only at the end. */
  readonly size: number | undefined;
  /** Where the size is not known yet: what the blob will hardly be larger than, in bytes. */
  readonly atMost?: number | undefined;
}

/** Told how one transfer goes on. */
export interface TransferProgress {
  /** @param bytes moved so far; less than before if the transfer had to begin again */
  moved(bytes: number): void;
  /** The transfer is over; called once, and nothing after it. `done` is false if it failed or was given up. */
  end(done: boolean): void;
}

/**
 * Told of every transfer of layers and configs, several of which run at the same time; of local files only when they are
 * written. Must not throw.
 */
export interface TransferObserver {
  /** A transfer begins: bytes will move, as the target does not have the blob. */
  begin(transfer: Transfer): TransferProgress;
}

const nobody: TransferProgress = { moved: () => {}, end: () => {} };

/** Tells nobody of transfers. */
export const noObserver: TransferObserver = { begin: () => nobody };

/** Passes a blob's bytes on and tells an observer of them; the transfer begins when the first are asked for. */
export async function* observed(
  source: AsyncIterable<Uint8Array>,
  transfer: Transfer,
  observer: TransferObserver,
): AsyncGenerator<Uint8Array> {
  const progress = observer.begin(transfer);
  let bytes = 0;
  let done = false;
  try {
    for await (const chunk of source) {
      yield chunk;
      bytes += chunk.length;
      progress.moved(bytes);
    }
    done = true;
  } finally {
    progress.end(done);
  }
}
