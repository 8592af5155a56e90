import { statSync } from "node:fs";
import * as http from "node:http";
import * as net from "node:net";
import * as tls from "node:tls";
import { inspect } from "node:util";
import { ImageError } from "../errors.ts";
import type { DaemonAddress } from "./address.ts";

/** How many connections there are: two for a layer that goes from the daemon to the daemon, two to spare. */
export const maxConnections = 4;

/** Connections to a daemon, kept for the next request; those that can be had only now may be opened ahead. */
export class DaemonAgent extends http.Agent {
  readonly #address: DaemonAddress;
  #ahead: net.Socket[] = [];

  constructor(address: DaemonAddress) {
    super({ keepAlive: true, maxSockets: maxConnections });
    this.#address = address;
  }

  /**
   * Connects to a socket that belongs to root, which the process cannot do any more when it has become another user. A
   * socket that is not there is another matter: it is missed by who first needs it.
   * @throws ImageError `unreachable` if nobody listens
   */
  async connectAhead(): Promise<void> {
    const address = this.#address;
    if (address.kind !== "socket") return;
    const { path } = address;
    if (statSync(path, { throwIfNoEntry: false })?.uid !== 0) return;
    this.#ahead = await Promise.all(Array.from({ length: maxConnections }, () => connect(path)));
  }

  override createConnection(): net.Socket {
    for (let socket = this.#ahead.pop(); socket !== undefined; socket = this.#ahead.pop()) {
      if (socket.destroyed || !socket.writable) continue;
      socket.ref();
      return socket;
    }
    return dial(this.#address);
  }

  override destroy(): void {
    for (const socket of this.#ahead) socket.destroy();
    super.destroy();
  }

  /** dockerode prints its options for debugging at every request, also when nobody debugs; all that hangs on sockets. */
  [inspect.custom](): string {
    return `DaemonAgent ${this.#address.name}`;
  }
}

function dial(address: DaemonAddress): net.Socket {
  if (address.kind === "socket") return net.connect(address.path);
  const { host, port } = address;
  if (address.tls === undefined) return net.connect({ host, port });
  const { verify, ca, cert, key } = address.tls;
  const name = net.isIP(host) === 0 ? { servername: host } : {};
  return tls.connect({ host, port, ca, cert, key, rejectUnauthorized: verify, ...name });
}

function connect(path: string): Promise<net.Socket> {
  return new Promise((resolve, reject) => {
    const socket = net.connect(path);
    socket.once("error", (cause: NodeJS.ErrnoException) => {
      const what = `failed to connect to docker socket: dial unix ${path}: ${connectError(cause)}`;
      reject(new ImageError("unreachable", what, { cause }));
    });
    socket.once("connect", () => {
      socket.removeAllListeners("error");
      // Whoever uses it listens for errors of its own; until then, losing it is no error.
      socket.on("error", () => {});
      socket.unref();
      resolve(socket);
    });
  });
}

/** What a socket's error means, in the words of the reference, which people search for. */
function connectError({ code = "", message }: NodeJS.ErrnoException): string {
  const words: Readonly<Record<string, string>> = {
    EACCES: "permission denied",
    ECONNREFUSED: "connection refused",
    ENOENT: "no such file or directory",
  };
  const reason = words[code];
  return reason === undefined ? code || message : `connect: ${reason}`;
}
