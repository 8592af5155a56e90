import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ImageError } from "../errors.ts";

/** Where a daemon listens. */
export type DaemonAddress =
  | {
      readonly kind: "socket";
      /** As the user named it, for messages. */
      readonly name: string;
      readonly path: string;
    }
  | {
      readonly kind: "host";
      /** As the user named it, for messages. */
      readonly name: string;
      readonly host: string;
      readonly port: number;
      /** Undefined for plain HTTP. */
      readonly tls?: DaemonTls;
    };

/** How a daemon is spoken to over TLS; each file's content in PEM. */
export interface DaemonTls {
  /** Whether the daemon's certificate is checked. */
  readonly verify: boolean;
  /** Who may vouch for it; by default the authorities that the runtime knows. */
  readonly ca?: Buffer;
  /** What it is shown of us. */
  readonly cert?: Buffer;
  readonly key?: Buffer;
}

const defaultHost = "unix:///var/run/docker.sock";
const schemes = "unix://, tcp://, http:// and https://";

/**
 * Reads where the daemon is from `DOCKER_HOST`, `DOCKER_CERT_PATH` and `DOCKER_TLS_VERIFY`, which mean what they mean to
 * the Docker client: with a directory of certificates the daemon is spoken to over TLS, and its own certificate is
 * checked unless `DOCKER_TLS_VERIFY` is empty.
 * @throws ImageError `invalid` if they do not make sense, `not-found` if a certificate cannot be read
 */
export function daemonAddress(env: Readonly<Record<string, string | undefined>>): DaemonAddress {
  const name = env.DOCKER_HOST || defaultHost;
  if (name.startsWith("unix://")) {
    const path = name.slice("unix://".length);
    if (!path.startsWith("/")) throw invalid(name, "the path of a socket must be absolute");
    return { kind: "socket", name, path };
  }
  const url = URL.canParse(name) ? new URL(name) : undefined;
  if (url === undefined || !["tcp:", "http:", "https:"].includes(url.protocol)) {
    throw invalid(name, `supported are ${schemes}`);
  }
  if (url.hostname === "") throw invalid(name, "it names no host");
  const tls = readTls(url.protocol === "https:", env.DOCKER_CERT_PATH ?? "", env.DOCKER_TLS_VERIFY ?? "");
  const port = portOf(name) ?? (tls === undefined ? 2375 : 2376);
  return { kind: "host", name, host: url.hostname.replace(/^\[|\]$/g, ""), port, ...(tls && { tls }) };
}

/** A URL leaves out the port that is its scheme's default, such as 80. */
function portOf(host: string): number | undefined {
  const port = /^[a-z]+:\/\/[^/]*:(\d{1,5})(?:\/|$)/.exec(host)?.[1];
  return port === undefined ? undefined : Number(port);
}

function readTls(asked: boolean, directory: string, verify: string): DaemonTls | undefined {
  if (directory === "") return asked || verify !== "" ? { verify: true } : undefined;
  const read = (file: string): Buffer => {
    const path = join(directory, file);
    try {
      return readFileSync(path);
    } catch (cause) {
      const { code = String(cause) } = cause as NodeJS.ErrnoException;
      throw new ImageError("not-found", `DOCKER_CERT_PATH: ${path} cannot be read: ${code}`, { cause });
    }
  };
  return { verify: verify !== "", ca: read("ca.pem"), cert: read("cert.pem"), key: read("key.pem") };
}

function invalid(host: string, reason: string): ImageError {
  return new ImageError("invalid", `DOCKER_HOST: ${JSON.stringify(host)} is no address of a daemon: ${reason}`);
}
