import { chmod, readFile } from "node:fs/promises";
import { type AddressInfo, createServer, connect as dial, type Socket } from "node:net";
import { createServer as createTlsServer } from "node:tls";

/** How clients reach the proxy. */
export type ProxyFace =
  /** A socket at that path, for root alone. */
  | { readonly path: string }
  /** A port on 127.0.0.1. */
  | "tcp"
  /** A port on 127.0.0.1; clients must show a certificate of the authority. Files in PEM. */
  | { readonly certificate: string; readonly key: string; readonly ca: string };

/** What goes wrong between a client and the daemon; nothing unless said otherwise. */
export interface SocketFaults {
  /** All connections are cut when clients have sent so many bytes. */
  cutAt?: number;
  /** Nothing passes any more when clients have sent so many bytes. */
  stallAt?: number;
  /** A connection is closed when nothing has passed for so many milliseconds. */
  idleTimeout?: number;
}

/** A server before a daemon's socket, which clients take for the daemon. */
export interface SocketProxy {
  /** As a `DOCKER_HOST`. */
  readonly host: string;
  /** The requests since `begin`: `GET /info`. */
  readonly requests: readonly string[];
  /** Bytes that clients have sent since `begin`. */
  readonly sent: number;
  /** Forgets what has passed, and sets what goes wrong from now on. */
  begin(faults?: SocketFaults): void;
  stop(): Promise<void>;
}

/** Starts a proxy that is a detour and nothing else, unless told to cut it. */
export async function startSocketProxy(socket: string, face: ProxyFace): Promise<SocketProxy> {
  let requests: string[] = [];
  let sent = 0;
  let faults: SocketFaults = {};
  const open = new Set<Socket>();
  const pass = (client: Socket): void => {
    const daemon = dial(socket);
    for (const [end, other] of [
      [client, daemon],
      [daemon, client],
    ] as const) {
      open.add(end);
      end.on("error", () => other.destroy());
      end.once("close", () => {
        open.delete(end);
        other.destroy();
      });
    }
    client.setTimeout(faults.idleTimeout ?? 0, () => client.destroy());
    client.on("data", (chunk: Buffer) => {
      const [, request] = /^([A-Z]+ \S+) HTTP\/1/.exec(chunk.toString("latin1", 0, 1000)) ?? [];
      if (request !== undefined) requests.push(request);
      sent += chunk.length;
      if (faults.cutAt !== undefined && sent >= faults.cutAt) for (const end of open) end.destroy();
      if (faults.stallAt !== undefined && sent >= faults.stallAt) client.unpipe(daemon).pause();
    });
    client.pipe(daemon);
    daemon.pipe(client);
  };
  const isTls = typeof face === "object" && "ca" in face;
  const server = isTls
    ? createTlsServer(
        {
          cert: await readFile(face.certificate),
          key: await readFile(face.key),
          ca: await readFile(face.ca),
          requestCert: true,
        },
        pass,
      )
    : createServer(pass);
  const path = typeof face === "object" && "path" in face ? face.path : undefined;
  await new Promise<void>((resolve) => {
    if (path === undefined) server.listen(0, "127.0.0.1", resolve);
    else server.listen(path, resolve);
  });
  if (path !== undefined) await chmod(path, 0o600);
  return {
    host: path === undefined ? `tcp://127.0.0.1:${(server.address() as AddressInfo).port}` : `unix://${path}`,
    get requests() {
      return requests;
    },
    get sent() {
      return sent;
    },
    begin: (wanted = {}) => {
      requests = [];
      sent = 0;
      faults = wanted;
    },
    stop: async () => {
      for (const end of open) end.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
