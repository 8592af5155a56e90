import { createServer as createHttpServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

/** What a request is answered with instead of the registry's own answer. */
export interface Answer {
  status: number;
  headers?: Record<string, string>;
  body?: string;
}

/** What goes wrong between a client and the registry; nothing unless said otherwise. */
export interface Faults {
  /** The connection that carries this byte is cut before it: see {@link FaultProxy.bytes}. */
  cutAt?: number;
  /** A bit of this byte is turned over: see {@link FaultProxy.bytes}. */
  flipAt?: number;
  /** Every connection is cut as soon as a client says something. */
  cutAlways?: boolean;
  /** Answers a request in the registry's place; undefined lets it pass. */
  answer?: (request: IncomingMessage) => Answer | undefined;
  /** May change the bytes of an answer's body in place. */
  change?: (request: IncomingMessage, chunk: Buffer) => void;
  /** How many times longer than it does the registry seems to take for an answer. */
  slowness?: number;
  /** Takes requests and never answers. */
  silent?: boolean;
  /** Remembers how much of a cut upload the registry has, which docker-registry 2 does not tell. */
  resumable?: boolean;
}

/** One request, as it came to the proxy. */
export interface SeenRequest {
  method: string;
  path: string;
  authorization: string | undefined;
  /** Of the answer; undefined while there is none. */
  status: number | undefined;
}

/** A server before a registry, which clients take for the registry. */
export interface FaultProxy {
  /** `127.0.0.1:port` */
  readonly host: string;
  /** Bytes that have passed since `begin`, in both directions, of all connections, in the order in which they came. */
  readonly bytes: number;
  /** The requests since `begin`. */
  readonly requests: readonly SeenRequest[];
  /** Forgets what has passed, and sets what goes wrong from now on. */
  begin(faults?: Faults): void;
  stop(): Promise<void>;
}

/** Where a proxy stands. */
export interface FaultProxyOptions {
  /** Replaces the client's header, for a place whose clients are not known to the registry. */
  authorization?: string;
  /** The registry speaks TLS: what goes by can be cut and turned over, but neither read nor answered. */
  tls?: boolean;
}

/**
 * Starts a proxy that is, where nothing goes wrong, nothing but a detour.
 * @param target the registry's `host:port`
 */
export async function startFaultProxy(target: string, options: FaultProxyOptions = {}): Promise<FaultProxy> {
  const { authorization, tls = false } = options;
  let faults: Faults = {};
  let bytes = 0;
  let requests: SeenRequest[] = [];
  const uploads = new Map<string, Record<string, string>>();
  const [hostname, port] = target.split(":");

  const registry = createHttpServer((incoming, response) => {
    pass(incoming, response).catch(() => response.destroy());
  });
  registry.keepAliveTimeout = 60_000;
  registry.requestTimeout = 0;

  async function pass(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = "", url = "" } = incoming;
    const seen: SeenRequest = { method, path: url, authorization: incoming.headers.authorization, status: undefined };
    requests.push(seen);
    if (faults.silent) return;
    const { answer, change, slowness = 1, resumable = false } = faults;
    const upload = /\/blobs\/uploads\/([0-9a-f-]{36})/.exec(url)?.[1] ?? "";
    const known = resumable && method === "GET" ? uploads.get(upload) : undefined;
    const instead = answer?.(incoming) ?? (known && { status: 204, headers: known });
    if (instead !== undefined) {
      seen.status = instead.status;
      incoming.resume();
      response.writeHead(instead.status, instead.headers).end(instead.body);
      return;
    }
    const started = performance.now();
    // With its Host header, of which the registry makes the addresses that it gives out.
    const headers = { ...incoming.headers, ...(authorization && { authorization }) };
    const outgoing = request({ hostname, port, method, path: url, headers: chunked(headers, method, resumable) });
    outgoing.on("error", () => response.destroy());
    if (resumable && method === "PATCH") {
      // What came before the cut is an upload of its own to the registry.
      incoming.on("data", (chunk: Buffer) => outgoing.write(chunk));
      incoming.on("error", () => {});
      incoming.once("close", () => outgoing.end());
    } else {
      incoming.pipe(outgoing);
      incoming.once("error", () => outgoing.destroy());
      incoming.once("close", () => incoming.complete || outgoing.destroy());
    }
    const reply = await new Promise<IncomingMessage>((resolve) => outgoing.once("response", resolve));
    if (slowness > 1) await sleep((performance.now() - started) * (slowness - 1));
    seen.status = reply.statusCode;
    const { location, range } = reply.headers;
    if (method === "PATCH" && typeof location === "string" && typeof range === "string") {
      uploads.set(upload, { location, range, "content-length": "0" });
    }
    response.writeHead(reply.statusCode ?? 500, reply.headers);
    reply.on("data", (chunk: Buffer) => {
      change?.(incoming, chunk);
      response.write(chunk);
    });
    reply.once("end", () => response.end());
    reply.once("error", () => response.destroy());
  }

  const inner = tls ? Number(port) : await listening(registry);
  const clients = new Set<Socket>();
  const front = createServer({ allowHalfOpen: true }, (client) => {
    const server = connect({ port: inner, host: "127.0.0.1", allowHalfOpen: true });
    clients.add(client);
    const end = () => {
      clients.delete(client);
      client.destroy();
      server.destroy();
    };
    for (const [from, to] of [
      [client, server],
      [server, client],
    ] as const) {
      from.on("data", (chunk: Buffer) => {
        const before = bytes;
        bytes += chunk.length;
        const { flipAt = -1 } = faults;
        if (flipAt >= before && flipAt < bytes) chunk[flipAt - before] = (chunk[flipAt - before] ?? 0) ^ 1;
        const cutAt = faults.cutAlways ? before : (faults.cutAt ?? Infinity);
        if (cutAt >= before && cutAt < bytes) {
          to.write(chunk.subarray(0, cutAt - before), end);
          from.removeAllListeners("data");
          return;
        }
        if (!to.write(chunk)) from.pause();
      });
      to.on("drain", () => from.resume());
      from.on("end", () => to.end());
      from.on("error", end);
      from.on("close", end);
    }
  });
  const outer = await listening(front);

  return {
    host: `127.0.0.1:${outer}`,
    get bytes() {
      return bytes;
    },
    get requests() {
      return requests;
    },
    begin: (next = {}) => {
      faults = next;
      bytes = 0;
      requests = [];
    },
    stop: async () => {
      for (const client of clients) client.destroy();
      registry.closeAllConnections();
      for (const server of tls ? [front] : [front, registry]) await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** An upload of unknown length is one that may end anywhere. */
function chunked(headers: NodeJS.Dict<string | string[]>, method: string, resumable: boolean): typeof headers {
  if (!resumable || method !== "PATCH") return headers;
  const { "content-length": _, "content-range": __, ...rest } = headers;
  return { ...rest, "transfer-encoding": "chunked" };
}

async function listening(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return (server.address() as AddressInfo).port;
}
