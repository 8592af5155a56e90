import { setTimeout as sleep } from "node:timers/promises";
import type { Keychain } from "../credentials.ts";
import type { Digest } from "../digest.ts";
import { ImageError } from "../errors.ts";
import { noObserver, observed, type TransferObserver } from "../transfer.ts";
import { verified } from "../verified.ts";
import { Authorizer } from "./authorizer.ts";
import { type Challenge, parseChallenge } from "./challenge.ts";
import { ConnectionError } from "./connection-error.ts";
import {
  connectionError,
  describe,
  discard,
  type HttpClient,
  type HttpRequest,
  type HttpResponse,
  type RequestBody,
} from "./http.ts";
import { RegistryError, registryError } from "./registry-error.ts";
import { Backoff, retrying } from "./retry.ts";

export interface RegistryRequest {
  readonly method: HttpRequest["method"];
  /** A path of the registry's API, or a URL that the registry gave out. */
  readonly target: string | URL;
  /** The repository that the request is about. */
  readonly repository: string;
  /** What it does there; tokens are asked for that much. */
  readonly actions: "pull" | "push,pull";
  /** Another repository that the request reads from. */
  readonly reads?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: RequestBody;
  /** Statuses that are answers, not errors. */
  readonly expect: readonly number[];
  /** Ends the request; by default the client's. */
  readonly signal?: AbortSignal | undefined;
}

export interface RegistryClientOptions {
  readonly http: HttpClient;
  /** Whether the registry may be asked over plain HTTP if it does not answer over TLS. */
  readonly mayBePlain: boolean;
  readonly keychain: Keychain;
  /** Told what went wrong before another attempt. */
  readonly warn: (message: string) => void;
  readonly observer?: TransferObserver | undefined;
  /** Ends all requests and streams with its reason. */
  readonly signal?: AbortSignal | undefined;
}

/** The registry's API root, and what it asks of its clients. */
interface Connection {
  readonly root: URL;
  readonly challenge: Challenge | undefined;
}

const maxRedirects = 5;

/** How long TLS has the word before plain HTTP is tried beside it, in milliseconds. */
const plainDelay = 300;

/**
 * Asks one registry (OCI distribution spec): finds out how it wants to be spoken to, shows it credentials, follows its
 * redirects. Credentials go to the registry itself and its token server, never to where a redirect leads.
 */
export class RegistryClient {
  readonly #registry: string;
  readonly #options: RegistryClientOptions;
  readonly #authorizers = new Map<string, Authorizer>();
  #connection: Promise<Connection> | undefined;

  /** @param registry host, with its port if it has one */
  constructor(registry: string, options: RegistryClientOptions) {
    this.#registry = registry;
    this.#options = options;
  }

  /** Told of the blobs that move. */
  get observer(): TransferObserver {
    return this.#options.observer ?? noObserver;
  }

  /** How a repository of this registry is called. */
  place(repository: string): string {
    return `${this.#registry}/${repository}`;
  }

  /** For something that is tried again when it fails. */
  backoff(signal: AbortSignal | undefined = this.#options.signal): Backoff {
    return new Backoff(this.#options.warn, signal);
  }

  /**
   * Sends a request until it is answered.
   * @throws RegistryError for a status that is not expected; ConnectionError; the signal's reason
   */
  request(request: RegistryRequest): Promise<HttpResponse> {
    return retrying(() => this.requestOnce(request), this.backoff(request.signal));
  }

  /** As `request`, but a failure is final: for requests that must not be repeated as they are. */
  async requestOnce(request: RegistryRequest): Promise<HttpResponse> {
    const { repository, actions, reads } = request;
    const connection = await this.#connect();
    const authorizer = this.#authorizerFor(connection, repository);
    const scopes = [`repository:${repository}:${actions}`];
    if (reads !== undefined && reads !== repository) scopes.push(`repository:${reads}:pull`);

    const explain = (error: unknown): never => {
      throw this.#explained(error, repository);
    };
    const authorization = await authorizer.header(connection.challenge, scopes).catch(explain);
    let response = await this.#follow(request, connection, authorization);
    // Where a redirect has led to must not say where credentials go.
    const isRegistry = response.request.url.origin === connection.root.origin;
    const refused = isRegistry && response.status === 401 && !request.expect.includes(401);
    const challenge = refused ? parseChallenge(response.headers["www-authenticate"]) : undefined;
    if (challenge !== undefined && (challenge.scheme === "bearer" || authorization === undefined)) {
      // The token has expired, or this repository wants more than the registry's root did.
      const renewed = await this.#renew(authorizer, challenge, scopes, authorization).catch((error: unknown) => {
        discard(response);
        return explain(error);
      });
      if (renewed !== undefined && renewed !== authorization) {
        discard(response);
        response = await this.#follow(request, connection, renewed);
      }
    }
    if (request.expect.includes(response.status)) return response;
    const error = await registryError(response);
    return response.request.url.origin === connection.root.origin ? explain(error) : Promise.reject(error);
  }

  /** Says of a registry or token server that lets nobody in what it was shown. */
  #explained(error: unknown, repository: string): unknown {
    if (!(error instanceof RegistryError) || error.code !== "unauthorized") return error;
    const explanation = this.#options.keychain.explainRefusal?.(this.#registry, repository);
    return explanation === undefined ? error : error.explained(explanation);
  }

  /** What to show instead of the header that was refused. */
  async #renew(
    authorizer: Authorizer,
    challenge: Challenge,
    scopes: readonly string[],
    refused: string | undefined,
  ): Promise<string | undefined> {
    await authorizer.forgetToken(scopes, refused);
    const wanted = challenge.parameters.get("scope");
    return authorizer.header(challenge, wanted === undefined || scopes.includes(wanted) ? scopes : [...scopes, wanted]);
  }

  /**
   * Downloads a blob, verified, and continued where it was cut off.
   * @throws ImageError `corrupt`, at the end, if it is not the blob that was asked for
   */
  blob(repository: string, { digest, size }: { digest: Digest; size: number }): AsyncIterable<Uint8Array> {
    const place = this.place(repository);
    const download = this.#download(repository, digest, size);
    return verified(
      observed(download, { direction: "download", place, blob: digest, size }, this.observer),
      digest,
      size,
      place,
    );
  }

  async *#download(repository: string, digest: Digest, size: number): AsyncGenerator<Uint8Array> {
    const backoff = this.backoff();
    let offset = 0;
    while (offset < size || size === 0) {
      const response = await this.request({
        method: "GET",
        target: `/v2/${repository}/blobs/${digest}`,
        repository,
        actions: "pull",
        headers: offset > 0 ? { range: `bytes=${offset}-` } : {},
        expect: [200, 206, 416],
      });
      if (response.status === 416) {
        // There is no more of it; what there is too little of is told by who verifies.
        discard(response);
        return;
      }
      // A server that does not know ranges starts at the beginning.
      let skip = response.status === 206 ? 0 : offset;
      try {
        for await (const data of response.body) {
          const chunk = skip === 0 ? (data as Buffer) : (data as Buffer).subarray(skip);
          skip -= (data as Buffer).length - chunk.length;
          if (chunk.length === 0) continue;
          offset += chunk.length;
          backoff.reset();
          yield chunk;
        }
        if (offset >= size) return;
        const message = `${describe(response.request)}: the answer ended after ${offset} of ${size} bytes`;
        throw new ConnectionError("unreachable", message, true);
      } catch (error) {
        await backoff.wait(connectionError(response.request, error));
      } finally {
        response.body.destroy();
      }
    }
  }

  /**
   * The place that a registry's answer points to.
   * @throws ImageError `invalid` if there is none; `refused` if the way there would no longer be over TLS
   */
  location({ request, headers }: HttpResponse): URL {
    if (!headers.location || !URL.canParse(headers.location, request.url.href)) {
      throw new ImageError("invalid", `${describe(request)}: the answer does not say where to go on`);
    }
    const url = new URL(headers.location, request.url);
    // A registry behind a proxy may not know that it is spoken to over TLS.
    if (url.hostname === request.url.hostname && url.port === request.url.port) url.protocol = request.url.protocol;
    if (request.url.protocol === "https:" && url.protocol !== "https:") {
      throw new ImageError("refused", `${describe(request)}: redirected from https to ${url.origin}`);
    }
    return url;
  }

  async #follow(
    request: RegistryRequest,
    { root }: Connection,
    authorization: string | undefined,
  ): Promise<HttpResponse> {
    let url = typeof request.target === "string" ? new URL(request.target, root) : request.target;
    for (let redirects = 0; ; redirects++) {
      const mayKnow = authorization !== undefined && url.origin === root.origin;
      const response = await this.#options.http.send({
        method: request.method,
        url,
        headers: { ...request.headers, ...(mayKnow && { authorization }) },
        ...(request.body !== undefined && { body: request.body }),
        signal: request.signal ?? this.#options.signal,
      });
      if (!isRedirect(request, response.status) || request.expect.includes(response.status)) return response;
      if (redirects === maxRedirects) {
        throw new ImageError("refused", `${describe(response.request)}: more than ${maxRedirects} redirects`);
      }
      discard(response);
      url = this.location(response);
    }
  }

  #authorizerFor({ root }: Connection, repository: string): Authorizer {
    const credentials = this.#options.keychain.resolve(this.#registry, repository);
    const key = JSON.stringify(credentials ?? null);
    let authorizer = this.#authorizers.get(key);
    if (authorizer === undefined) {
      authorizer = new Authorizer(this.#options.http, root, credentials, this.#options.signal);
      this.#authorizers.set(key, authorizer);
    }
    return authorizer;
  }

  /** Asks for the API's root, once: does the registry speak TLS, and what does it ask of its clients? */
  #connect(): Promise<Connection> {
    if (this.#connection === undefined) {
      const connection = this.#ping();
      connection.catch(() => {
        this.#connection = undefined;
      });
      this.#connection = connection;
    }
    return this.#connection;
  }

  async #ping(): Promise<Connection> {
    const tls = this.#pingOver("https:");
    if (!this.#options.mayBePlain) return tls;
    // TLS comes first, but who speaks only plain HTTP may also leave TLS without an answer.
    const inTime = await Promise.race([tls.catch(() => undefined), sleep(plainDelay, undefined, { ref: false })]);
    if (inTime !== undefined) return inTime;
    try {
      return await Promise.any([tls, this.#pingOver("http:")]);
    } catch (error) {
      const [overTls, overHttp]: unknown[] = (error as AggregateError).errors;
      throw overTls instanceof ImageError && overTls.code === "untrusted" ? overTls : overHttp;
    }
  }

  async #pingOver(protocol: "https:" | "http:"): Promise<Connection> {
    const root = new URL(`${protocol}//${this.#registry}/v2/`);
    const response = await this.#options.http.send({ method: "GET", url: root, signal: this.#options.signal });
    if (response.status !== 200 && response.status !== 401) throw await registryError(response);
    discard(response);
    const challenge = response.status === 401 ? parseChallenge(response.headers["www-authenticate"]) : undefined;
    if (response.status === 401 && challenge === undefined) {
      throw new ImageError("refused", `${describe(response.request)}: asks for a way to log in that is not known here`);
    }
    return { root, challenge };
  }
}

/** Only what reads is led elsewhere by any redirect; a body is sent again only where 307 and 308 ask for it. */
function isRedirect(request: RegistryRequest, status: number): boolean {
  const reads = request.method === "GET" || request.method === "HEAD";
  return (reads && [301, 302, 303].includes(status)) || [307, 308].includes(status);
}
