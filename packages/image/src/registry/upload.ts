import { createHash } from "node:crypto";
import type { Digest } from "../digest.ts";
import { ImageError } from "../errors.ts";
import type { RegistryClient } from "./client.ts";
import { discard } from "./http.ts";
import { retrying } from "./retry.ts";

/** A blob to be uploaded. */
export interface UploadSource {
  /** Undefined if digest and size will be known when the stream has ended. */
  readonly descriptor: { readonly digest: Digest; readonly size: number } | undefined;
  /** Starts the blob's stream anew. */
  open(): AsyncIterable<Uint8Array>;
  /** A repository of the same registry that has the blob. */
  readonly mountFrom?: string | undefined;
}

/**
 * Makes sure that a repository has a blob: asks whether it is there, mounts it from a neighbouring repository, or sends
 * it. A blob that is cut off is sent again from the start.
 * @param signal ends the upload
 * @returns the blob's digest and its size in bytes
 */
export async function upload(
  client: RegistryClient,
  repository: string,
  source: UploadSource,
  signal?: AbortSignal,
): Promise<{ digest: Digest; size: number }> {
  const { descriptor, mountFrom } = source;
  if (descriptor !== undefined) {
    if (await hasBlob(client, repository, descriptor.digest)) return descriptor;
    const elsewhere = mountFrom !== undefined && mountFrom !== repository;
    if (elsewhere && (await mount(client, repository, descriptor.digest, mountFrom))) return descriptor;
  }
  return retrying(() => send(client, repository, source, signal), client.warn);
}

/** Starts an upload and gives it up again, which only who may write can do. */
export async function tryUpload(client: RegistryClient, repository: string): Promise<void> {
  const location = await start(client, repository);
  await cancel(client, repository, location);
}

async function hasBlob(client: RegistryClient, repository: string, digest: Digest): Promise<boolean> {
  const response = await client.request({
    method: "HEAD",
    target: `/v2/${repository}/blobs/${digest}`,
    repository,
    actions: "push,pull",
    expect: [200, 404],
  });
  discard(response);
  return response.status === 200;
}

async function mount(client: RegistryClient, repository: string, digest: Digest, from: string): Promise<boolean> {
  try {
    const response = await client.request({
      method: "POST",
      target: `/v2/${repository}/blobs/uploads/?mount=${encodeURIComponent(digest)}&from=${encodeURIComponent(from)}`,
      repository,
      actions: "push,pull",
      reads: from,
      headers: { "content-length": "0" },
      expect: [201, 202],
    });
    discard(response);
    if (response.status === 201) return true;
    await cancel(client, repository, client.location(response));
  } catch (error) {
    // Mounting saves an upload; a registry that does not let us may still take the blob itself.
    if (!(error instanceof ImageError)) throw error;
  }
  return false;
}

async function send(
  client: RegistryClient,
  repository: string,
  source: UploadSource,
  signal?: AbortSignal,
): Promise<{ digest: Digest; size: number }> {
  const location = await start(client, repository);
  let sent = { hash: createHash("sha256"), size: 0 };
  async function* stream(): AsyncGenerator<Uint8Array> {
    sent = { hash: createHash("sha256"), size: 0 };
    for await (const chunk of source.open()) {
      signal?.throwIfAborted();
      sent.hash.update(chunk);
      sent.size += chunk.length;
      yield chunk;
    }
  }
  const patched = await client.requestOnce({
    method: "PATCH",
    target: location,
    repository,
    actions: "push,pull",
    headers: {
      "content-type": "application/octet-stream",
      ...(source.descriptor && { "content-length": String(source.descriptor.size) }),
    },
    body: stream,
    expect: [201, 202, 204],
  });
  const commit = client.location(patched);
  discard(patched);

  const digest: Digest = `sha256:${sent.hash.digest("hex")}`;
  if (source.descriptor !== undefined && source.descriptor.digest !== digest) {
    throw new ImageError("corrupt", `expected a blob with digest ${source.descriptor.digest}, found ${digest}`);
  }
  commit.searchParams.set("digest", digest);
  const committed = await client.requestOnce({
    method: "PUT",
    target: commit,
    repository,
    actions: "push,pull",
    headers: { "content-length": "0" },
    expect: [201, 204],
  });
  discard(committed);
  return { digest, size: sent.size };
}

async function start(client: RegistryClient, repository: string): Promise<URL> {
  const response = await client.request({
    method: "POST",
    target: `/v2/${repository}/blobs/uploads/`,
    repository,
    actions: "push,pull",
    headers: { "content-length": "0" },
    expect: [202],
  });
  discard(response);
  return client.location(response);
}

/** Nothing depends on it: registries forget uploads by themselves, and some want more rights for this than for writing. */
async function cancel(client: RegistryClient, repository: string, location: URL): Promise<void> {
  try {
    const response = await client.requestOnce({
      method: "DELETE",
      target: location,
      repository,
      actions: "push,pull",
      expect: [200, 202, 204, 401],
    });
    discard(response);
  } catch (error) {
    if (!(error instanceof ImageError)) throw error;
  }
}
