import { statSync } from "node:fs";
import * as http from "node:http";
import * as net from "node:net";
import { inspect } from "node:util";
import { ImageError } from "../errors.ts";

/** How many connections are opened ahead: two for a layer that goes from the daemon to the daemon, two to spare. */
export const connectionsAhead = 4;

/**
 * Whether the socket belongs to root, so that it can only be connected to before privileges are given up. A socket that
 * is not there is another matter: it is missed by who first needs it.
 */
export function belongsToRoot(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.uid === 0;
}

/**
 * Connects to a socket several times, for use when this process may no longer do so.
 * @throws ImageError `unreachable` if nobody listens
 */
export async function connectAhead(path: string): Promise<net.Socket[]> {
  return await Promise.all(Array.from({ length: connectionsAhead }, () => connect(path)));
}

function connect(path: string): Promise<net.Socket> {
  return new Promise((resolve, reject) => {
    const socket = net.connect(path);
    socket.once("error", (cause: NodeJS.ErrnoException) => {
      const what = `failed to connect to docker socket: dial unix ${path}: ${cause.code ?? cause.message}`;
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

/** Gives out connections that were opened ahead, keeps them for the next request, and only then opens new ones. */
export class SocketAgent extends http.Agent {
  readonly #ahead: net.Socket[];
  readonly #path: string;

  /** @param ahead from `connectAhead`; perhaps none */
  constructor(path: string, ahead: readonly net.Socket[]) {
    super({ keepAlive: true, maxSockets: connectionsAhead });
    this.#path = path;
    this.#ahead = [...ahead];
  }

  /** dockerode prints its options for debugging at every request, also when nobody debugs; all that hangs on sockets. */
  [inspect.custom](): string {
    return `SocketAgent ${this.#path}`;
  }

  override createConnection(): net.Socket {
    for (let socket = this.#ahead.pop(); socket !== undefined; socket = this.#ahead.pop()) {
      if (socket.destroyed || !socket.writable) continue;
      socket.ref();
      return socket;
    }
    return net.connect(this.#path);
  }

  override destroy(): void {
    for (const socket of this.#ahead) socket.destroy();
    super.destroy();
  }
}
