import * as http from "node:http";
import * as https from "node:https";
import { isIP } from "node:net";
import type { Duplex } from "node:stream";
import * as tls from "node:tls";
import { ConnectionError } from "./connection-error.ts";

/** A proxy that does not make a connection in this time, in milliseconds, is not going to. */
const tunnelTimeout = 60_000;

/** How TLS connections are made: with whom they are trusted. */
export type TlsOptions = Pick<https.AgentOptions, "secureContext" | "rejectUnauthorized">;

/** Makes TLS connections through a proxy (HTTP CONNECT; RFC 9110, section 9.3.6), and keeps them for the next request. */
export class TunnelAgent extends https.Agent {
  readonly #proxy: URL;
  readonly #tls: TlsOptions;

  constructor(proxy: URL, tlsOptions: TlsOptions) {
    super({ keepAlive: true, ...tlsOptions });
    this.#proxy = proxy;
    this.#tls = tlsOptions;
  }

  override createConnection(
    options: https.RequestOptions,
    callback: (error: Error | null, stream: Duplex) => void,
  ): undefined {
    this.#connect(options).then(
      (socket) => callback(null, socket),
      // Node's type wants a stream beside the error, which nobody looks at.
      (error: Error) => (callback as (error: Error) => void)(error),
    );
  }

  async #connect({ host, port }: https.RequestOptions): Promise<Duplex> {
    const hostname = host ?? "";
    const target = `${hostname.includes(":") ? `[${hostname}]` : hostname}:${port ?? 443}`;
    const socket = await openTunnel(this.#proxy, this.#tls, target);
    return new Promise((resolve, reject) => {
      const servername = isIP(hostname) === 0 ? { servername: hostname } : {};
      const secured = tls.connect({ socket, host: hostname, ...servername, ...this.#tls }, () => {
        secured.off("error", reject);
        clearTimeout(timer);
        resolve(secured);
      });
      // The request's own timeout begins when it has its connection.
      const timer = setTimeout(
        () => secured.destroy(new Error(`no TLS connection in ${tunnelTimeout / 1000} s`)),
        tunnelTimeout,
      );
      secured.once("close", () => clearTimeout(timer));
      secured.once("error", reject);
    });
  }
}

/** What a request to a proxy says of who asks; empty if the proxy's URL does not say it. */
export function proxyAuthorization({ username, password }: URL): Readonly<Record<string, string>> {
  if (username === "" && password === "") return {};
  const account = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return { "proxy-authorization": `Basic ${Buffer.from(account).toString("base64")}` };
}

function openTunnel(proxy: URL, tlsOptions: TlsOptions, target: string): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    const secure = proxy.protocol === "https:";
    const asking = (secure ? https : http).request({
      method: "CONNECT",
      ...addressOf(proxy),
      path: target,
      headers: { host: target, "user-agent": "cnb-lifecycle", ...proxyAuthorization(proxy) },
      agent: false,
      ...(secure && tlsOptions),
    });
    const fail = (reason: string, transient: boolean, cause?: unknown) => {
      asking.destroy();
      const message = `proxy ${proxy.origin} does not connect to ${target}: ${reason}`;
      reject(new ConnectionError("unreachable", message, transient, { cause }));
    };
    const refused = (response: http.IncomingMessage) => {
      const { statusCode = 0, statusMessage = "" } = response;
      fail(`${statusCode} ${statusMessage}`.trimEnd(), statusCode >= 500);
    };
    asking.setTimeout(tunnelTimeout, () => fail(`no answer in ${tunnelTimeout / 1000} s`, true));
    asking.once("connect", (response, socket, head) => {
      if (response.statusCode !== 200) {
        refused(response);
        return;
      }
      asking.setTimeout(0);
      if (head.length > 0) socket.unshift(head);
      resolve(socket);
    });
    asking.once("response", refused);
    asking.once("error", (error) => fail(error.message, true, error));
    asking.end();
  });
}

/** Where a proxy listens, for Node's requests. */
export function addressOf(proxy: URL): { host: string; port: string } {
  return {
    host: proxy.hostname.replace(/^\[|\]$/g, ""),
    port: proxy.port || (proxy.protocol === "https:" ? "443" : "80"),
  };
}
