import { createHash } from "node:crypto";
import type { Digest } from "../digest.ts";
import { decompressed, verified } from "../verified.ts";
import { type ArchivedFile, readArchive } from "./archive-reader.ts";
import { Spool } from "./spool.ts";

/** A layer on its way out of a daemon. */
export interface SavedLayer {
  readonly diffId: Digest;
  /** Of its tar, in bytes. */
  readonly size: number;
  /** Its tar, verified; to be read before the next layer is asked for. */
  readonly contents: AsyncIterable<Uint8Array>;
}

/**
 * Finds layers in an archive of `docker save` while it streams in. Podman and Docker from version 25 on name layers by
 * their digest. Older ones name them by something else and say at the archive's end which is which; and blobs may be
 * compressed. Such a layer passes through a temporary file, one at a time, until its digest is known.
 * @param wanted diff IDs; each is given once, in the archive's order
 * @throws ImageError `corrupt` if the archive is damaged, `refused` if a temporary file cannot be written
 */
export async function* savedLayers(
  archive: AsyncIterable<Uint8Array>,
  wanted: ReadonlySet<Digest>,
): AsyncGenerator<SavedLayer> {
  const missing = new Set(wanted);
  let spool: Spool | undefined;
  try {
    for await (const file of readArchive(archive, "answer of the docker daemon")) {
      if (missing.size === 0 || !mayBeLayer(file)) continue;
      const named = digestInName(file.name);
      if (named !== undefined && missing.delete(named)) {
        yield { diffId: named, size: file.size, contents: verified(file.contents, named, file.size, file.name) };
        continue;
      }
      if (named !== undefined && isNamedByDiffId(file.name)) continue;
      spool ??= await Spool.open();
      const diffId = await spoolLayer(spool, file);
      if (missing.delete(diffId)) yield { diffId, size: spool.size, contents: spool.read() };
    }
  } finally {
    await spool?.close();
  }
}

/** `<hex>.tar` is Podman's, `blobs/sha256/<hex>` that of OCI layouts, `<id>/layer.tar` what Docker wrote before them. */
function mayBeLayer({ name }: ArchivedFile): boolean {
  return /^[0-9a-f]{64}\.tar$|^blobs\/sha256\/[0-9a-f]{64}$|^[0-9a-f]+\/layer\.tar$/.test(name);
}

function digestInName(name: string): Digest | undefined {
  const hex = /^(?:blobs\/sha256\/)?([0-9a-f]{64})(?:\.tar)?$/.exec(name)?.[1];
  return hex === undefined ? undefined : `sha256:${hex}`;
}

/** A blob of an OCI layout may be compressed, and then has another digest than its layer. */
function isNamedByDiffId(name: string): boolean {
  return name.endsWith(".tar");
}

async function spoolLayer(spool: Spool, file: ArchivedFile): Promise<Digest> {
  const hash = createHash("sha256");
  const hashed = async function* () {
    for await (const chunk of decompressed(file.contents, file.name)) {
      hash.update(chunk);
      yield chunk;
    }
  };
  await spool.write(hashed());
  return `sha256:${hash.digest("hex")}`;
}
