import * as http from "node:http";
import * as https from "node:https";
import { ImageError } from "../errors.ts";
import { ConnectionError } from "./connection-error.ts";
import type { Proxies } from "./proxy.ts";
import type { Trust } from "./trust.ts";
import { addressOf, proxyAuthorization, type TlsOptions, TunnelAgent } from "./tunnel.ts";

/** A body that can be sent again is bytes, or a function that starts the stream anew. */
export type RequestBody = Uint8Array | (() => AsyncIterable<Uint8Array>);

export interface HttpRequest {
  readonly method: "GET" | "HEAD" | "POST" | "PATCH" | "PUT" | "DELETE";
  readonly url: URL;
  readonly headers?: Readonly<Record<string, string>>;
  /** Bytes are sent with their length, streams in chunks unless the headers give a length. */
  readonly body?: RequestBody;
  /** Ends the request, and the answer's body, with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

export interface HttpResponse {
  readonly request: HttpRequest;
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  /** Must be read to its end, or destroyed. */
  readonly body: http.IncomingMessage;
}

/** A host that does not take a connection in this time, in milliseconds, is not there. */
const connectTimeout = 30_000;

/** The idle timeout unless told otherwise, in milliseconds. */
const defaultIdleTimeout = 60_000;

/** Registries may take minutes to store a blob that has arrived, in milliseconds. */
const storingTimeout = 300_000;

export interface HttpClientOptions {
  readonly trust: Trust;
  /** Whether a server's certificate must be one that `trust` vouches for. */
  readonly verify: boolean;
  /** By default there are none. */
  readonly proxies?: Proxies | undefined;
  /** A connection on which nothing moves for this long, in milliseconds, is given up. */
  readonly idleTimeout?: number | undefined;
}

/** Speaks HTTP/1.1 over connections that are kept for the next request. Follows no redirects. */
export class HttpClient {
  readonly #options: HttpClientOptions;
  readonly #plain = new http.Agent({ keepAlive: true });
  #tls: https.Agent | undefined;
  readonly #tunnels = new Map<string, TunnelAgent>();

  constructor(options: HttpClientOptions) {
    this.#options = options;
  }

  /**
   * Sends a request and waits for the head of the answer, whatever its status.
   * @throws ConnectionError; ImageError `invalid` if the proxy's address is none; whatever the body's stream throws;
   *   the signal's reason
   */
  async send(request: HttpRequest): Promise<HttpResponse> {
    const { method, url, headers, body, signal } = request;
    const length = body instanceof Uint8Array ? { "content-length": String(body.length) } : {};
    const route = this.#route(url);
    signal?.throwIfAborted();
    const outgoing = (route.to.protocol === "https:" ? https : http).request({
      ...addressOf(route.to),
      path: route.path,
      agent: route.agent,
      method,
      headers: { host: url.host, "user-agent": "cnb-lifecycle", ...length, ...headers, ...route.headers },
    });
    const idle = this.#idleTimeout(method);
    outgoing.setTimeout(idle, () => outgoing.destroy(new Error(`no answer in ${idle / 1000} s`)));
    outgoing.once("socket", (socket) => {
      if (!socket.connecting) return;
      const timer = setTimeout(
        () => outgoing.destroy(new Error(`no connection in ${connectTimeout / 1000} s`)),
        connectTimeout,
      );
      for (const event of ["connect", "close"]) socket.once(event, () => clearTimeout(timer));
    });
    let abort = () => {};
    const answer = new Promise<http.IncomingMessage>((resolve, reject) => {
      abort = () => {
        outgoing.destroy(new Error("given up"));
        // A request that still waits for its connection, say through a proxy, says nothing when it is destroyed.
        reject(new Error("given up"));
      };
      signal?.addEventListener("abort", abort, { once: true });
      outgoing.once("response", resolve);
      // Stays for the life of the request: a connection may fail again after the answer.
      outgoing.on("error", reject);
      outgoing.once("close", () => {
        signal?.removeEventListener("abort", abort);
        reject(new Error("connection closed"));
      });
    });
    answer.catch(() => {});
    const source = { failed: false };
    try {
      if (typeof body === "function") await sendStream(outgoing, noticing(body(), source), answer);
      else outgoing.end(body);
      const message = await answer;
      // An answer before the end of the body, such as 401: nobody will want the rest.
      if (!outgoing.writableEnded) message.once("close", () => outgoing.destroy());
      return { request, status: message.statusCode ?? 0, headers: message.headers, body: message };
    } catch (error) {
      outgoing.destroy();
      throw source.failed ? error : connectionError(request, error);
    }
  }

  /** Closes idle connections. */
  async close(): Promise<void> {
    for (const agent of [this.#plain, this.#tls, ...this.#tunnels.values()]) agent?.destroy();
  }

  #idleTimeout(method: HttpRequest["method"]): number {
    const { idleTimeout } = this.#options;
    return idleTimeout ?? (method === "PUT" || method === "PATCH" ? storingTimeout : defaultIdleTimeout);
  }

  #route(url: URL): Route {
    const proxy = this.#options.proxies?.find(url);
    const path = `${url.pathname}${url.search}`;
    const agentFor = ({ protocol }: URL) => (protocol === "https:" ? this.#tlsAgent() : this.#plain);
    if (proxy === undefined) return { to: url, path, agent: agentFor(url) };
    if (url.protocol === "https:") return { to: url, path, agent: this.#tunnelThrough(proxy) };
    return {
      to: proxy,
      path: `${url.origin}${path}`,
      agent: agentFor(proxy),
      headers: proxyAuthorization(proxy),
    };
  }

  #tlsAgent(): https.Agent {
    this.#tls ??= new https.Agent({ keepAlive: true, ...this.#tlsOptions() });
    return this.#tls;
  }

  #tunnelThrough(proxy: URL): TunnelAgent {
    const tunnel = this.#tunnels.get(proxy.href) ?? new TunnelAgent(proxy, this.#tlsOptions());
    this.#tunnels.set(proxy.href, tunnel);
    return tunnel;
  }

  #tlsOptions(): TlsOptions {
    const { verify, trust } = this.#options;
    return verify ? { secureContext: trust.secureContext() } : { rejectUnauthorized: false };
  }
}

/** How a request gets to its server. */
interface Route {
  /** The server itself, or a proxy. */
  readonly to: URL;
  readonly path: string;
  readonly agent: http.Agent;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Passes a body on, and remembers whether it was the body that failed. */
async function* noticing(body: AsyncIterable<Uint8Array>, source: { failed: boolean }): AsyncGenerator<Uint8Array> {
  try {
    yield* body;
  } catch (error) {
    source.failed = true;
    throw error;
  }
}

/**
 * Writes no faster than the connection takes it, and stops as soon as the server has answered or is gone.
 * @param answer settles then
 */
async function sendStream(
  outgoing: http.ClientRequest,
  body: AsyncIterable<Uint8Array>,
  answer: Promise<unknown>,
): Promise<void> {
  let over = false;
  let wake = () => {};
  const end = () => {
    over = true;
    wake();
  };
  answer.then(end, end);
  outgoing.on("drain", () => wake());
  for await (const chunk of body) {
    if (over) return;
    if (chunk.length === 0 || outgoing.write(chunk)) continue;
    await new Promise<void>((resolve) => {
      wake = resolve;
      if (over) resolve();
    });
  }
  outgoing.end();
}

/** Errors of a TLS handshake with a server that speaks plain HTTP, or no TLS that is known here; others pass. */
const notTls = /WRONG_VERSION|UNSUPPORTED_PROTOCOL|UNKNOWN_PROTOCOL|PROTOCOL_VERSION|HTTP_REQUEST|PACKET_LENGTH/i;

/** Names the request without the query of its URL, which may hold secrets. */
export function describe({ method, url }: { method: string; url: URL }): string {
  return `${method} ${url.origin}${url.pathname}`;
}

/** What an error while sending or reading means; errors of our own stay what they are. */
export function connectionError(request: HttpRequest, cause: unknown): unknown {
  if (request.signal?.aborted) return request.signal.reason;
  if (cause instanceof ImageError) return cause;
  const { code = "", message } = cause as NodeJS.ErrnoException;
  const inTls = code === "EPROTO" || code.startsWith("ERR_SSL");
  const untrusted = !inTls && /CERT|SIGNATURE|ALTNAME/.test(code);
  const hopeless = inTls && notTls.test(`${code} ${message}`.replaceAll(" ", "_"));
  const transient = !untrusted && !hopeless && code !== "ENOTFOUND";
  const hint = untrusted
    ? "; if the registry's certificate authority is private, name its certificate in SSL_CERT_FILE or SSL_CERT_DIR"
    : "";
  const kind = untrusted ? "untrusted" : "unreachable";
  return new ConnectionError(kind, `${describe(request)}: ${message || code}${hint}`, transient, { cause });
}

/**
 * Reads a whole body into memory.
 * @param limit in bytes; what exceeds it is an ImageError `invalid`
 */
export async function readBody({ request, body }: HttpResponse, limit: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of body) {
      chunks.push(chunk as Buffer);
      length += (chunk as Buffer).length;
      if (length > limit) throw new ImageError("invalid", `${describe(request)}: answer of more than ${limit} bytes`);
    }
  } catch (error) {
    throw connectionError(request, error);
  }
  return Buffer.concat(chunks);
}

/** What is read of a body that nobody wants, so that its connection can be used again, in bytes. */
const maxDiscarded = 256 * 1024;

/** Gives a body up; its connection is kept if nothing much is left of it. */
export function discard({ body }: HttpResponse): void {
  let left = maxDiscarded;
  body.on("error", () => {});
  body.on("data", (chunk: Buffer) => {
    left -= chunk.length;
    if (left < 0) body.destroy();
  });
}
