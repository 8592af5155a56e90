import { mapBounded } from "./bounded.ts";
import { encodeConfig, parseConfig } from "./config.ts";
import type { Keychain } from "./credentials.ts";
import type { Descriptor } from "./descriptor.ts";
import { type Digest, digestOf, isDigest } from "./digest.ts";
import type { ImageDraft } from "./draft.ts";
import { ImageError } from "./errors.ts";
import type { Layer } from "./layer.ts";
import {
  encodeManifest,
  type ImageIndex,
  isIndex,
  type Manifest,
  maxManifestSize,
  parseManifestOrIndex,
} from "./manifest.ts";
import { gzipLayerType, isDistributable, layerTypeIn, mediaTypes } from "./media-types.ts";
import { linuxPlatform, type Platform, satisfies } from "./platform.ts";
import { mayBePlain, parseReference, Reference } from "./reference.ts";
import { RegistryClient } from "./registry/client.ts";
import { discard, HttpClient, readBody } from "./registry/http.ts";
import type { Proxies } from "./registry/proxy.ts";
import type { Trust } from "./registry/trust.ts";
import { hasBlob, tryUpload, upload } from "./registry/upload.ts";
import { saveFailure } from "./save-failure.ts";
import type { ImageStore, SavedImage } from "./store.ts";
import { StoredImage, StoredLayer } from "./stored-image.ts";
import type { TransferObserver } from "./transfer.ts";
import { untilIntact } from "./verified.ts";

export interface RegistryStoreOptions {
  readonly keychain: Keychain;
  readonly trust: Trust;
  /** Which registries are reached through a proxy; by default none. */
  readonly proxies?: Proxies;
  /**
   * Beginnings of image names, such as `registry.example:5000`, whose registries may be asked over plain HTTP, or over
   * TLS with a certificate that nobody vouches for.
   */
  readonly insecureRegistries?: readonly string[];
  /** Chooses from image indexes; by default linux on this machine's architecture. */
  readonly platform?: Platform;
  /** Told what went wrong before another attempt. */
  readonly warn?: (message: string) => void;
  /** Told of blobs that move. */
  readonly observer?: TransferObserver;
  /** Ends whatever the store and its layers do, with the signal's reason. */
  readonly signal?: AbortSignal;
  /** A connection on which nothing moves for this long, in milliseconds, is given up; by default some minutes. */
  readonly idleTimeout?: number;
}

const manifestTypes = [
  mediaTypes.ociManifest,
  mediaTypes.dockerManifest,
  mediaTypes.ociIndex,
  mediaTypes.dockerManifestList,
].join(",");

/** Blobs on their way at the same time, to each registry. */
const parallelUploads = 4;

/** The bytes of a config that is at hand already; undefined if it is not. `image` is the digest of the manifest. */
export type KnownConfig = (config: Descriptor, image: Digest) => Promise<Uint8Array | undefined>;

/** Images in registries (OCI distribution spec). */
export class RegistryStore implements ImageStore {
  readonly #options: RegistryStoreOptions;
  readonly #platform: Platform;
  readonly #clients = new Map<string, RegistryClient>();
  /** What layers became that had never been stored, by diff ID: an image's other names and a cache image need them too. */
  readonly #made = new Map<Digest, Descriptor>();
  /** A repository of each registry that has a blob, for blobs that were saved. */
  readonly #holders = new Map<RegistryClient, Map<Digest, string>>();
  readonly #http: { readonly verifying: HttpClient; readonly trusting: HttpClient };

  constructor(options: RegistryStoreOptions) {
    this.#options = options;
    this.#platform = options.platform ?? linuxPlatform();
    this.#http = {
      verifying: new HttpClient({ ...options, verify: true }),
      trusting: new HttpClient({ ...options, verify: false }),
    };
  }

  /** @param knownConfig gives the config's bytes, verified, if they need not be fetched */
  async open(name: string, knownConfig?: KnownConfig): Promise<StoredImage | undefined> {
    const reference = parseReference(name);
    const client = this.#clientFor(name, reference);
    const manifestOf = (of: Reference) => untilIntact(() => fetchManifest(client, of), this.#warn);
    let found = await manifestOf(reference);
    if (found !== undefined && isIndex(found.manifest)) {
      const entry = found.manifest.manifests.find(({ platform }) => satisfies(platform, this.#platform));
      if (entry === undefined) return undefined;
      found = await manifestOf(new Reference(reference.registry, reference.repository, entry.digest));
    }
    if (found === undefined) return undefined;
    const { manifest, digest, bytes } = found;
    if (isIndex(manifest)) throw new ImageError("invalid", `${name}: an image index inside an image index`);

    const { repository } = reference;
    const fetched = () => untilIntact(() => fetchConfig(client, repository, manifest.config, name), this.#warn);
    const configBytes = (await knownConfig?.(manifest.config, digest)) ?? (await fetched());
    const config = parseConfig(configBytes, name);
    const identifier = `${reference.repositoryName}@${digest}`;
    return new StoredImage(
      { name, identifier, manifest, config, bytes: { manifest: bytes, config: configBytes } },
      (diffId, descriptor) => new RegistryLayer(diffId, descriptor, client, repository),
    );
  }

  async checkRead(name: string): Promise<void> {
    const reference = parseReference(name);
    await headManifest(this.#clientFor(name, reference), reference);
  }

  async checkWrite(name: string): Promise<void> {
    const reference = parseReference(name);
    const client = this.#clientFor(name, reference);
    await headManifest(client, reference);
    await tryUpload(client, reference.repository);
  }

  async save(draft: ImageDraft, names: readonly [string, ...string[]]): Promise<SavedImage> {
    const references = names.map((name) => ({ name, reference: parseReference(name) }));
    const config = encodeConfig(draft.config());
    const failures = new Map<string, Error>();
    let identifier: { digest: Digest; manifestSize: number } | undefined;
    for (const { name, reference } of references) {
      try {
        identifier = await this.#push(draft, config, this.#clientFor(name, reference), reference);
      } catch (error) {
        // Anything else is not about this name: a layer that cannot be read, say.
        if (!(error instanceof ImageError)) throw error;
        failures.set(name, error);
      }
    }
    const first = references[0]?.reference;
    if (identifier === undefined || first === undefined) throw saveFailure(failures);
    return {
      identifier: `${first.repositoryName}@${identifier.digest}`,
      shortId: identifier.digest,
      report: identifier,
      failures,
    };
  }

  /** Closes idle connections; the store may still be used. */
  async close(): Promise<void> {
    await Promise.all([this.#http.verifying.close(), this.#http.trusting.close()]);
  }

  async #push(
    draft: ImageDraft,
    config: Uint8Array,
    client: RegistryClient,
    reference: Reference,
  ): Promise<{ digest: Digest; manifestSize: number }> {
    const { repository } = reference;
    const configBlob = { digest: digestOf(config), size: config.length };
    const manifestOf = (layers: readonly Descriptor[]) => {
      const bytes = encodeManifest(draft.manifest(configBlob, layers));
      return { bytes, digest: digestOf(bytes) };
    };
    const descriptorOf = (layer: Layer) => {
      const descriptor = layer.descriptor ?? this.#made.get(layer.diffId);
      return descriptor && inFamily(draft, descriptor);
    };

    const known = draft.layers.map(descriptorOf).filter((descriptor) => descriptor !== undefined);
    if (known.length === draft.layers.length) {
      // With all layers known, so is the manifest: the name may stand for it already.
      const { bytes, digest } = manifestOf(known);
      if ((await headManifest(client, reference)) === digest) return { digest, manifestSize: bytes.length };
    }

    const send = async (layer: Layer, signal: AbortSignal): Promise<void> => {
      const descriptor = descriptorOf(layer);
      if (descriptor !== undefined && !isDistributable(descriptor.mediaType)) return;
      const name = descriptor?.digest ?? layer.diffId;
      const held = layer instanceof RegistryLayer ? layer.mountableFor(client) : undefined;
      const mountFrom = held ?? this.#holders.get(client)?.get(name);
      const source = { descriptor, name, open: () => layer.compressed(), mountFrom, tarSize: layer.size };
      const { digest, size } = await upload(client, repository, source, signal);
      if (descriptor === undefined) {
        this.#made.set(layer.diffId, { mediaType: gzipLayerType(draft.family), digest, size });
      }
      const holders = this.#holders.get(client) ?? new Map<Digest, string>();
      this.#holders.set(client, holders.set(digest, repository));
    };
    const blobs = new Map(draft.layers.map((layer) => [descriptorOf(layer)?.digest ?? layer.diffId, layer]));
    const sendConfig = async (signal: AbortSignal): Promise<void> => {
      const source = { descriptor: configBlob, name: configBlob.digest, open: () => once(config) };
      await upload(client, repository, source, signal);
    };
    await mapBounded(
      [sendConfig, ...[...blobs.values()].map((layer) => (signal: AbortSignal) => send(layer, signal))],
      parallelUploads,
      (begin, signal) => begin(signal),
      this.#options.signal,
    );
    const { bytes, digest } = manifestOf(draft.layers.map(descriptorOf).filter((layer) => layer !== undefined));
    await putManifest(client, reference, bytes, draft);
    return { digest, manifestSize: bytes.length };
  }

  readonly #warn = (message: string): void => this.#options.warn?.(message);

  #clientFor(name: string, reference: Reference): RegistryClient {
    const insecure = this.#options.insecureRegistries?.some((prefix) => isPrefix(prefix, name)) ?? false;
    const key = `${insecure} ${reference.registry}`;
    let client = this.#clients.get(key);
    if (client === undefined) {
      client = new RegistryClient(reference.registry, {
        http: insecure ? this.#http.trusting : this.#http.verifying,
        mayBePlain: insecure || mayBePlain(reference.registry),
        keychain: this.#options.keychain,
        warn: this.#warn,
        observer: this.#options.observer,
        signal: this.#options.signal,
      });
      this.#clients.set(key, client);
    }
    return client;
  }
}

/** Whether an image's name begins with `prefix`, without breaking off within the registry's host or port. */
function isPrefix(prefix: string, name: string): boolean {
  if (prefix === "" || !name.startsWith(prefix)) return false;
  return prefix.includes("/") || /^(?:[:/@]|$)/.test(name.slice(prefix.length));
}

/** A layer in a repository. */
class RegistryLayer extends StoredLayer {
  readonly #client: RegistryClient;
  readonly #repository: string;

  constructor(diffId: Digest, descriptor: Descriptor, client: RegistryClient, repository: string) {
    super(diffId, descriptor);
    this.#client = client;
    this.#repository = repository;
  }

  compressed(): AsyncIterable<Uint8Array> {
    return this.#client.blob(this.#repository, this.descriptor);
  }

  isHeld(): Promise<boolean> {
    return hasBlob(this.#client, this.#repository, this.descriptor.digest, "pull");
  }

  /** The repository to mount the layer from; undefined if it is in another registry. */
  mountableFor(client: RegistryClient): string | undefined {
    return client === this.#client ? this.#repository : undefined;
  }
}

function inFamily(draft: ImageDraft, descriptor: Descriptor): Descriptor {
  return { ...descriptor, mediaType: layerTypeIn(draft.family, descriptor.mediaType) };
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

interface FetchedManifest {
  readonly bytes: Uint8Array;
  readonly manifest: Manifest | ImageIndex;
  readonly digest: Digest;
}

/** @returns undefined if there is none */
async function fetchManifest(client: RegistryClient, reference: Reference): Promise<FetchedManifest | undefined> {
  const response = await client.request({
    method: "GET",
    target: `/v2/${reference.repository}/manifests/${reference.identifier}`,
    repository: reference.repository,
    actions: "pull",
    headers: { accept: manifestTypes },
    expect: [200, 404],
  });
  if (response.status === 404) {
    discard(response);
    return undefined;
  }
  const bytes = await readBody(response, maxManifestSize);
  const digest = digestOf(bytes);
  const announced = reference.digest ?? response.headers["docker-content-digest"];
  if (isDigest(announced) && announced !== digest) {
    throw new ImageError("corrupt", `${reference.name}: the registry sent a manifest with digest ${digest}`);
  }
  const manifest = parseManifestOrIndex(bytes, response.headers["content-type"] ?? "", reference.name);
  return { bytes, manifest, digest };
}

/** @returns the manifest's digest; undefined if there is none, or the registry does not say */
async function headManifest(client: RegistryClient, reference: Reference): Promise<string | undefined> {
  const response = await client.request({
    method: "HEAD",
    target: `/v2/${reference.repository}/manifests/${reference.identifier}`,
    repository: reference.repository,
    actions: "pull",
    headers: { accept: manifestTypes },
    expect: [200, 404],
  });
  discard(response);
  const digest = response.headers["docker-content-digest"];
  return response.status === 200 && typeof digest === "string" ? digest : undefined;
}

async function fetchConfig(
  client: RegistryClient,
  repository: string,
  descriptor: Descriptor,
  name: string,
): Promise<Uint8Array> {
  if (descriptor.size > maxManifestSize) {
    throw new ImageError("invalid", `config of ${name}: ${descriptor.size} bytes, more than ${maxManifestSize}`);
  }
  const chunks: Uint8Array[] = [];
  for await (const chunk of client.blob(repository, descriptor)) chunks.push(chunk);
  return Buffer.concat(chunks);
}

async function putManifest(
  client: RegistryClient,
  reference: Reference,
  bytes: Uint8Array,
  draft: ImageDraft,
): Promise<void> {
  const response = await client.request({
    method: "PUT",
    target: `/v2/${reference.repository}/manifests/${reference.identifier}`,
    repository: reference.repository,
    actions: "push,pull",
    headers: { "content-type": draft.family === "oci" ? mediaTypes.ociManifest : mediaTypes.dockerManifest },
    body: bytes,
    expect: [200, 201, 202],
  });
  discard(response);
}
