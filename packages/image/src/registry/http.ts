import * as http from "node:http";
import * as https from "node:https";
import { ImageError, type ImageErrorCode } from "../errors.ts";
import type { Trust } from "./trust.ts";

/** A body that can be sent again is bytes, or a function that starts the stream anew. */
export type RequestBody = Uint8Array | (() => AsyncIterable<Uint8Array>);

export interface HttpRequest {
  readonly method: "GET" | "HEAD" | "POST" | "PATCH" | "PUT" | "DELETE";
  readonly url: URL;
  readonly headers?: Readonly<Record<string, string>>;
  /** Bytes are sent with their length, streams in chunks unless the headers give a length. */
  readonly body?: RequestBody;
}

export interface HttpResponse {
  readonly request: HttpRequest;
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  /** Must be read to its end, or destroyed. */
  readonly body: http.IncomingMessage;
}

/** A request got no answer, or a stream ended too early. */
export class ConnectionError extends ImageError {
  /** Whether trying again may help. */
  readonly transient: boolean;

  constructor(code: ImageErrorCode, message: string, transient: boolean, options?: ErrorOptions) {
    super(code, message, options);
    this.transient = transient;
  }
}

/** A connection on which nothing moves for this long is given up; registries may take minutes to store a blob. */
const idleTimeout = 300_000;

/** A host that does not take a connection in this time is not there. */
const connectTimeout = 30_000;

/** Speaks HTTP/1.1 over connections that are kept for the next request. Follows no redirects and adds no headers. */
export class HttpClient {
  readonly #trust: Trust;
  readonly #plain = new http.Agent({ keepAlive: true });
  #tls: Promise<https.Agent> | undefined;
  readonly #verify: boolean;

  /** @param verify whether the server's certificate must be one that `trust` vouches for */
  constructor(trust: Trust, verify: boolean) {
    this.#trust = trust;
    this.#verify = verify;
  }

  /**
   * Sends a request and waits for the head of the answer, whatever its status.
   * @throws ConnectionError; whatever the body's stream throws
   */
  async send(request: HttpRequest): Promise<HttpResponse> {
    const { method, url, headers, body } = request;
    const secure = url.protocol === "https:";
    const length = body instanceof Uint8Array ? { "content-length": String(body.length) } : {};
    const outgoing = (secure ? https : http).request(url, {
      method,
      headers: { "user-agent": "cnb-lifecycle", ...length, ...headers },
      agent: secure ? await this.#tlsAgent() : this.#plain,
    });
    outgoing.setTimeout(idleTimeout, () => outgoing.destroy(new Error(`no answer in ${idleTimeout / 1000} s`)));
    outgoing.once("socket", (socket) => {
      if (!socket.connecting) return;
      const timer = setTimeout(
        () => outgoing.destroy(new Error(`no connection in ${connectTimeout / 1000} s`)),
        connectTimeout,
      );
      for (const event of ["connect", "close"]) socket.once(event, () => clearTimeout(timer));
    });
    const answer = new Promise<http.IncomingMessage>((resolve, reject) => {
      outgoing.once("response", resolve);
      // Stays for the life of the request: a connection may fail again after the answer.
      outgoing.on("error", reject);
      outgoing.once("close", () => reject(new Error("connection closed")));
    });
    answer.catch(() => {});
    try {
      if (typeof body === "function") await sendStream(outgoing, body());
      else outgoing.end(body);
      const message = await answer;
      // An answer before the end of the body, such as 401: nobody will want the rest.
      if (!outgoing.writableEnded) message.once("close", () => outgoing.destroy());
      return { request, status: message.statusCode ?? 0, headers: message.headers, body: message };
    } catch (error) {
      outgoing.destroy();
      throw error instanceof ImageError ? error : connectionError(request, error);
    }
  }

  /** Closes idle connections. */
  async close(): Promise<void> {
    this.#plain.destroy();
    (await this.#tls)?.destroy();
  }

  #tlsAgent(): Promise<https.Agent> {
    this.#tls ??= this.#verify
      ? this.#trust.secureContext().then((secureContext) => new https.Agent({ keepAlive: true, secureContext }))
      : Promise.resolve(new https.Agent({ keepAlive: true, rejectUnauthorized: false }));
    return this.#tls;
  }
}

/** Writes no faster than the connection takes it, and stops as soon as the server has answered or is gone. */
async function sendStream(outgoing: http.ClientRequest, body: AsyncIterable<Uint8Array>): Promise<void> {
  let over = false;
  let wake = () => {};
  const end = () => {
    over = true;
    wake();
  };
  outgoing.once("response", end);
  outgoing.once("close", end);
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

/** Names the request without the query of its URL, which may hold secrets. */
export function describe({ method, url }: { method: string; url: URL }): string {
  return `${method} ${url.origin}${url.pathname}`;
}

/** What an error of Node's network modules means. */
export function connectionError(request: HttpRequest, cause: unknown): ConnectionError {
  const { code = "", message } = cause as NodeJS.ErrnoException;
  const untrusted = /CERT|SIGNATURE|ALTNAME/.test(code);
  const transient = !untrusted && code !== "ENOTFOUND" && code !== "EPROTO" && !code.startsWith("ERR_SSL");
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
    throw error instanceof ImageError ? error : connectionError(request, error);
  }
  return Buffer.concat(chunks);
}

/** Gives a body up; its connection is kept if nothing much is left of it. */
export function discard({ body }: HttpResponse): void {
  body.on("error", () => {});
  body.resume();
}
