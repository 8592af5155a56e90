import { createHash } from "node:crypto";
import type { Digest } from "../digest.ts";
import { ImageError } from "../errors.ts";
import type { TransferProgress } from "../transfer.ts";
import type { RegistryClient } from "./client.ts";
import { discard } from "./http.ts";
import { RegistryError } from "./registry-error.ts";

/** A blob to be uploaded. */
export interface UploadSource {
  /** Undefined if digest and size will be known when the stream has ended. */
  readonly descriptor: { readonly digest: Digest; readonly size: number } | undefined;
  /** What observers know the blob by: its digest, or its diff ID as long as it has none. */
  readonly name: Digest;
  /** What observers may take for the size as long as it is not known, in bytes. */
  readonly tarSize?: number | undefined;
  /** Starts the blob's stream anew; it gives the same bytes each time. */
  open(): AsyncIterable<Uint8Array>;
  /** A repository of the same registry that has the blob. */
  readonly mountFrom?: string | undefined;
}

/** A blob that a repository has. */
export interface UploadedBlob {
  readonly digest: Digest;
  /** In bytes. */
  readonly size: number;
}

/**
 * Makes sure that a repository has a blob: asks whether it is there, mounts it from a neighbouring repository, or sends
 * it. A blob that is cut off is continued where the registry says that it ends, else sent again from the start.
 * @param signal ends the upload with its reason
 */
export async function upload(
  client: RegistryClient,
  repository: string,
  source: UploadSource,
  signal?: AbortSignal,
): Promise<UploadedBlob> {
  const { descriptor, mountFrom, name } = source;
  if (descriptor !== undefined) {
    if (await hasBlob(client, repository, descriptor.digest, "push,pull", signal)) return descriptor;
    const elsewhere = mountFrom !== undefined && mountFrom !== repository;
    if (elsewhere && (await mount(client, repository, descriptor.digest, mountFrom, signal))) return descriptor;
  }
  const transfer = { place: client.place(repository), blob: name, size: descriptor?.size, atMost: source.tarSize };
  const progress = client.observer.begin({ direction: "upload", ...transfer });
  let done = false;
  try {
    const blob = await new BlobUpload(client, repository, source, progress, signal).run();
    done = true;
    return blob;
  } finally {
    progress.end(done);
  }
}

/** Starts an upload and gives it up again, which only who may write can do. */
export async function tryUpload(client: RegistryClient, repository: string): Promise<void> {
  const location = await start(client, repository);
  await cancel(client, repository, location);
}

/** Whether a repository has a blob. */
export async function hasBlob(
  client: RegistryClient,
  repository: string,
  digest: Digest,
  actions: "pull" | "push,pull",
  signal?: AbortSignal,
): Promise<boolean> {
  const response = await client.request({
    method: "HEAD",
    target: `/v2/${repository}/blobs/${digest}`,
    repository,
    actions,
    expect: [200, 404],
    signal,
  });
  discard(response);
  return response.status === 200;
}

async function mount(
  client: RegistryClient,
  repository: string,
  digest: Digest,
  from: string,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  try {
    const response = await client.request({
      method: "POST",
      target: `/v2/${repository}/blobs/uploads/?mount=${encodeURIComponent(digest)}&from=${encodeURIComponent(from)}`,
      repository,
      actions: "push,pull",
      reads: from,
      headers: { "content-length": "0" },
      expect: [201, 202],
      signal,
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

/** One blob's upload (OCI distribution spec, "Pushing blobs"): POST, PATCH with the bytes, PUT with the digest. */
class BlobUpload {
  readonly #client: RegistryClient;
  readonly #repository: string;
  readonly #source: UploadSource;
  readonly #progress: TransferProgress;
  readonly #signal: AbortSignal | undefined;
  /** Undefined before the upload has begun. */
  #location: URL | undefined;
  /** How many bytes the registry has. */
  #offset = 0;
  /** Undefined until the stream has run to its end for the first time. */
  #whole: UploadedBlob | undefined;
  /** Whether the registry has all bytes. */
  #complete = false;
  /** Whether the registry has refused the upload, or the source been corrupt, once. */
  #begunAgain = false;

  constructor(
    client: RegistryClient,
    repository: string,
    source: UploadSource,
    progress: TransferProgress,
    signal: AbortSignal | undefined,
  ) {
    this.#client = client;
    this.#repository = repository;
    this.#source = source;
    this.#progress = progress;
    this.#signal = signal;
    this.#whole = source.descriptor;
  }

  async run(): Promise<UploadedBlob> {
    const backoff = this.#client.backoff(this.#signal);
    for (;;) {
      try {
        const location = this.#location ?? (await start(this.#client, this.#repository, this.#signal));
        this.#location = location;
        const whole = this.#complete && this.#whole !== undefined ? this.#whole : await this.#send(location);
        await this.#commit(this.#location, whole.digest);
        return whole;
      } catch (error) {
        if (this.#mayBeginAgain(error)) {
          this.#begunAgain = true;
          this.#beginAgain();
          continue;
        }
        await backoff.wait(error);
        if (this.#complete && this.#whole !== undefined) {
          // The answer to the last request may have been lost, not the request.
          const { digest } = this.#whole;
          if (await hasBlob(this.#client, this.#repository, digest, "push,pull", this.#signal)) return this.#whole;
        } else if (await this.#findOffset()) {
          backoff.reset();
        }
      }
    }
  }

  /** Sends the bytes that the registry does not have. */
  async #send(location: URL): Promise<UploadedBlob> {
    const { descriptor } = this.#source;
    const from = this.#offset;
    const length = descriptor && descriptor.size - from;
    let sent = { hash: createHash("sha256"), size: 0 };
    const stream = async function* (this: BlobUpload): AsyncGenerator<Uint8Array> {
      sent = { hash: createHash("sha256"), size: 0 };
      for await (const chunk of this.#source.open()) {
        this.#signal?.throwIfAborted();
        const skip = Math.min(Math.max(from - sent.size, 0), chunk.length);
        sent.hash.update(chunk);
        if (skip < chunk.length) yield skip === 0 ? chunk : chunk.subarray(skip);
        sent.size += chunk.length;
        this.#progress.moved(Math.max(sent.size, from));
      }
    };
    const response = await this.#client.requestOnce({
      method: "PATCH",
      target: location,
      repository: this.#repository,
      actions: "push,pull",
      headers: {
        "content-type": "application/octet-stream",
        ...(length !== undefined && { "content-length": String(length) }),
        ...(descriptor && from > 0 && { "content-range": `${from}-${descriptor.size - 1}` }),
      },
      body: stream.bind(this),
      expect: [201, 202, 204],
      signal: this.#signal,
    });
    discard(response);
    const whole = { digest: `sha256:${sent.hash.digest("hex")}` as const, size: sent.size };
    if (this.#whole !== undefined && this.#whole.digest !== whole.digest) {
      throw new ImageError("corrupt", `expected a blob with digest ${this.#whole.digest}, found ${whole.digest}`);
    }
    this.#location = this.#client.location(response);
    this.#whole = whole;
    this.#complete = true;
    return whole;
  }

  async #commit(location: URL, digest: Digest): Promise<void> {
    const target = new URL(location);
    target.searchParams.set("digest", digest);
    const response = await this.#client.requestOnce({
      method: "PUT",
      target,
      repository: this.#repository,
      actions: "push,pull",
      headers: { "content-length": "0" },
      expect: [201, 204],
      signal: this.#signal,
    });
    discard(response);
  }

  /**
   * Asks the registry how much it has; if it does not say, the upload begins again.
   * @returns whether it has more than it had
   */
  async #findOffset(): Promise<boolean> {
    if (this.#location === undefined) return false;
    const known = this.#offset;
    try {
      const response = await this.#client.request({
        method: "GET",
        target: this.#location,
        repository: this.#repository,
        actions: "push,pull",
        expect: [200, 202, 204],
        signal: this.#signal,
      });
      discard(response);
      const [, last] = /^(?:bytes=)?0-(\d+)$/.exec(response.headers.range ?? "") ?? [];
      // Registries say 0-0 for no byte, too.
      const offset = last === undefined || last === "0" ? 0 : Number(last) + 1;
      const size = this.#whole?.size;
      if (offset > 0 && (size === undefined || offset <= size)) {
        if (response.headers.location !== undefined) this.#location = this.#client.location(response);
        this.#offset = offset;
        this.#complete = offset === size;
        return offset > known;
      }
    } catch (error) {
      if (!(error instanceof RegistryError)) throw error;
    }
    this.#beginAgain();
    return false;
  }

  /** Registries forget uploads; what was put together in parts may not be the blob; a source may be corrupt. */
  #mayBeginAgain(error: unknown): boolean {
    if (this.#begunAgain || this.#location === undefined) return false;
    if (error instanceof RegistryError) return [400, 404, 416].includes(error.status);
    return error instanceof ImageError && error.code === "corrupt";
  }

  #beginAgain(): void {
    this.#location = undefined;
    this.#offset = 0;
    this.#complete = false;
  }
}

async function start(client: RegistryClient, repository: string, signal?: AbortSignal): Promise<URL> {
  const response = await client.request({
    method: "POST",
    target: `/v2/${repository}/blobs/uploads/`,
    repository,
    actions: "push,pull",
    headers: { "content-length": "0" },
    expect: [202],
    signal,
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
