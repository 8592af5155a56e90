import { ImageError } from "./errors.ts";
import { ConnectionError } from "./registry/connection-error.ts";
import { connectionError, describe, discard, HttpClient, type HttpResponse, readBody } from "./registry/http.ts";
import type { Proxies } from "./registry/proxy.ts";
import { registryError } from "./registry/registry-error.ts";
import { Backoff, retrying } from "./registry/retry.ts";
import type { Trust } from "./registry/trust.ts";
import { noObserver, type TransferObserver } from "./transfer.ts";

export interface DownloaderOptions {
  readonly trust: Trust;
  readonly proxies?: Proxies;
  /** Told of what is downloaded. */
  readonly observer?: TransferObserver;
  /** Told what went wrong before another attempt. */
  readonly warn?: (message: string) => void;
  /** Ends whatever is going on, with its reason. */
  readonly signal?: AbortSignal;
}

/** What a server says of a file. */
export interface Download {
  /** The entity tag, by which the server knows the file again. */
  readonly etag: string | undefined;
  /** The file's bytes. */
  readonly body: AsyncIterable<Uint8Array>;
}

const maxRedirects = 10;

/** Fetches files over HTTP(S): follows redirects, tries again what heals with time, continues what was cut off. */
export class Downloader {
  readonly #http: HttpClient;
  readonly #options: DownloaderOptions;

  constructor(options: DownloaderOptions) {
    this.#options = options;
    this.#http = new HttpClient({ trust: options.trust, proxies: options.proxies, verify: true });
  }

  /**
   * Begins to fetch a file.
   *
   * @param limit how many bytes it may have
   * @param etag of a copy that is at hand
   * @returns undefined if the server still has the file with that `etag`
   * @throws ImageError `not-found`, `unauthorized`, `refused`, `unreachable`, `untrusted`; and while the body is read
   *   `corrupt` if the file was changed meanwhile, `invalid` if it exceeds the limit
   */
  async fetch(url: URL, limit: number, etag?: string): Promise<Download | undefined> {
    const headers: Record<string, string> = etag === undefined ? {} : { "if-none-match": etag };
    const response = await this.#get(url, headers, [200, 304]);
    if (response.status === 304) {
      discard(response);
      return undefined;
    }
    return { etag: strongTag(response), body: this.#body(url, response, limit) };
  }

  /**
   * Fetches a small file as text.
   *
   * @param limit in bytes
   * @returns undefined if the server has no such file
   */
  async text(url: URL, limit: number): Promise<string | undefined> {
    try {
      return (await readBody(await this.#get(url, {}, [200]), limit)).toString("utf8");
    } catch (error) {
      if (error instanceof ImageError && error.code === "not-found") return undefined;
      throw error;
    }
  }

  /** Closes idle connections. */
  close(): Promise<void> {
    return this.#http.close();
  }

  #backoff(): Backoff {
    return new Backoff(this.#options.warn ?? (() => {}), this.#options.signal);
  }

  #get(url: URL, headers: Readonly<Record<string, string>>, expect: readonly number[]): Promise<HttpResponse> {
    return retrying(() => this.#follow(url, headers, expect), this.#backoff());
  }

  async #follow(
    start: URL,
    headers: Readonly<Record<string, string>>,
    expect: readonly number[],
  ): Promise<HttpResponse> {
    let url = start;
    for (let redirects = 0; ; redirects++) {
      const sent = { ...headers, ...(url.origin === start.origin && authorization(start)) };
      const response = await this.#http.send({ method: "GET", url, headers: sent, signal: this.#options.signal });
      if (expect.includes(response.status)) return response;
      const location = response.headers.location;
      if (![301, 302, 303, 307, 308].includes(response.status) || location === undefined) {
        throw await registryError(response);
      }
      discard(response);
      const next = URL.canParse(location, url.href) ? new URL(location, url) : undefined;
      const fail = (why: string) => new ImageError("refused", `${describe({ method: "GET", url })}: ${why}`);
      if (redirects === maxRedirects) throw fail(`more than ${maxRedirects} redirects`);
      if (next === undefined || !/^https?:$/.test(next.protocol)) throw fail("it redirects to no http or https URL");
      if (url.protocol === "https:" && next.protocol === "http:") throw fail("it redirects from https to http");
      url = next;
    }
  }

  async *#body(url: URL, first: HttpResponse, limit: number): AsyncGenerator<Uint8Array> {
    const backoff = this.#backoff();
    const version = versionOf(first);
    const size = lengthOf(first);
    const tooLong = () => new ImageError("invalid", `${describe({ method: "GET", url })}: more than ${limit} bytes`);
    if (size !== undefined && size > limit) {
      first.body.destroy();
      throw tooLong();
    }
    const { observer = noObserver } = this.#options;
    const place = `${url.origin}${url.pathname}`;
    const progress = observer.begin({ direction: "download", place, blob: undefined, size });
    let response = first;
    let offset = 0;
    let done = false;
    try {
      for (;;) {
        let skip = response.status === 206 ? 0 : offset;
        try {
          for await (const data of response.body) {
            const chunk = skip === 0 ? (data as Buffer) : (data as Buffer).subarray(skip);
            skip -= (data as Buffer).length - chunk.length;
            if (chunk.length === 0) continue;
            offset += chunk.length;
            if (offset > limit) throw tooLong();
            backoff.reset();
            yield chunk;
            progress.moved(offset);
          }
          if (size === undefined || offset >= size) {
            done = true;
            return;
          }
          const message = `${describe(response.request)}: the answer ended after ${offset} of ${size} bytes`;
          throw new ConnectionError("unreachable", message, true);
        } catch (error) {
          const cause = connectionError(response.request, error);
          if (cause instanceof ImageError && !(cause instanceof ConnectionError)) throw cause;
          await backoff.wait(cause);
        } finally {
          response.body.destroy();
        }
        const range = { range: `bytes=${offset}-`, ...(version !== undefined && { "if-range": version }) };
        response = await this.#get(url, range, [200, 206]);
        const whole = response.status === 206 ? totalOf(response) : lengthOf(response);
        const found = versionOf(response) ?? (response.status === 206 ? version : undefined);
        if (found !== version || (whole !== undefined && whole !== size)) {
          response.body.destroy();
          throw new ImageError("corrupt", `${describe({ method: "GET", url })}: the file was changed meanwhile`);
        }
      }
    } finally {
      progress.end(done);
    }
  }
}

/** Name and password from the URL, which go to its own server only. */
function authorization({ username, password }: URL): Readonly<Record<string, string>> {
  if (username === "" && password === "") return {};
  const account = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return { authorization: `Basic ${Buffer.from(account).toString("base64")}` };
}

/** A weak tag does not say that bytes are the same. */
function strongTag({ headers }: HttpResponse): string | undefined {
  const { etag } = headers;
  return etag?.startsWith('"') ? etag : undefined;
}

/** What tells the file from one that takes its place later; undefined if the server says nothing of the kind. */
function versionOf(response: HttpResponse): string | undefined {
  return strongTag(response) ?? response.headers["last-modified"];
}

/** The size of the whole file that an answer is a part of, in bytes. */
function totalOf({ headers }: HttpResponse): number | undefined {
  const [, total] = /\/(\d{1,15})$/.exec(headers["content-range"] ?? "") ?? [];
  return total === undefined ? undefined : Number(total);
}

function lengthOf({ headers }: HttpResponse): number | undefined {
  const length = headers["content-length"];
  return length !== undefined && /^\d{1,15}$/.test(length) ? Number(length) : undefined;
}
