import { cp, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Certificates, makeCertificates, makeSigningCertificate } from "./certificates.ts";
import { startServer } from "./server.ts";
import { onSmallDisk } from "./small-disk.ts";
import { startTokenServer, type TokenRequest, type TokenServer } from "./token-server.ts";

/** The account that every registry with authentication knows. */
export const ACCOUNT = { username: "builder", password: "correct horse: battery staple" } as const;

/** An identity (refresh) token that the token server takes for {@link ACCOUNT}. */
export const IDENTITY_TOKEN = "an-identity-token";

/** {@link ACCOUNT} as htpasswd -B writes it: bcrypt is the only form that the registry reads. */
const HTPASSWD = "builder:$2b$05$abcdefghijklmnopqrstuuV6q2UV/WAh8fRjv.cKux5BRyS6o8FUW\n";

export interface RegistryOptions {
  /** TLS with a certificate that a private authority signed; plain HTTP when absent. */
  tls?: boolean;
  /** What the registry asks of its clients: nothing, a password, or a token from the token server. */
  auth?: "none" | "basic" | "token";
  /** With tokens: what a client without credentials may do; "nothing" when absent. */
  anonymous?: "nothing" | "pull";
  /** With tokens: seconds until one expires; 300 when absent. */
  tokenLifetime?: number;
  /** Keeps everything on a disk of its own of that many bytes; needs root. */
  diskSize?: number;
}

/** A real registry (Debian's docker-registry) on 127.0.0.1, with its own storage. */
export interface Registry {
  /** `127.0.0.1:port`, the registry's part of an image reference. */
  readonly host: string;
  readonly url: string;
  readonly pid: number;
  /** PEM file of the authority that signed the registry's certificate, with TLS. */
  readonly ca: string | undefined;
  /** A directory as `/etc/docker/certs.d/<host>`: `ca.crt`, with TLS. */
  readonly certificatesDirectory: string | undefined;
  /** The account a client needs; undefined when the registry asks for none. */
  readonly account: typeof ACCOUNT | undefined;
  /** What the token server was asked for, oldest first. */
  readonly tokenRequests: readonly TokenRequest[];
  /** Content of `CNB_REGISTRY_AUTH`: the registry's host with the header for {@link ACCOUNT}; `{}` without one. */
  registryAuth(): string;
  /** Writes a Docker client's `config.json` with the account's credentials into a directory. */
  writeDockerConfig(directory: string): Promise<void>;
  /** The registry's own log, with one line for each request. */
  log(): string;
  /** Stops the registry and deletes its storage. */
  stop(): Promise<void>;
}

/** Starts a registry and waits until it answers. */
export async function startRegistry(options: RegistryOptions = {}): Promise<Registry> {
  const { tls = false, auth = "none" } = options;
  const directory = await mkdtemp(join(tmpdir(), "registry-"));
  let tokenServer: TokenServer | undefined;
  try {
    let certificates: Certificates | undefined;
    if (tls) {
      certificates = await makeCertificates(directory);
      await mkdir(join(directory, "certs.d"));
      await cp(certificates.ca, join(directory, "certs.d/ca.crt"));
    }
    const config: Record<string, unknown> = {
      version: "0.1",
      log: { level: "info", formatter: "text", accesslog: { disabled: false } },
      storage: { filesystem: { rootdirectory: join(directory, "storage") }, delete: { enabled: true } },
      http: {
        addr: "127.0.0.1:0",
        ...(certificates && { tls: { certificate: certificates.certificate, key: certificates.key } }),
      },
    };
    if (auth === "basic") {
      await writeFile(join(directory, "htpasswd"), HTPASSWD);
      config.auth = { htpasswd: { realm: "registry", path: join(directory, "htpasswd") } };
    }
    if (auth === "token") {
      const signing = await makeSigningCertificate(directory);
      const names = { issuer: "token-server", service: "registry" };
      tokenServer = await startTokenServer({
        ...signing,
        ...names,
        accounts: { [ACCOUNT.username]: ACCOUNT.password },
        identityTokens: { [IDENTITY_TOKEN]: ACCOUNT.username },
        anonymous: options.anonymous ?? "nothing",
        lifetime: options.tokenLifetime ?? 300,
      });
      config.auth = { token: { realm: tokenServer.realm, ...names, rootcertbundle: signing.certificate } };
    }
    // JSON is YAML.
    await writeFile(join(directory, "config.yml"), JSON.stringify(config));
    const serve = ["docker-registry", "serve", join(directory, "config.yml")];
    const [program = "", ...args] =
      options.diskSize === undefined ? serve : onSmallDisk(join(directory, "storage"), options.diskSize, serve);
    const server = await startServer(program, args, {
      ready: /listening on (127\.0\.0\.1:\d+)/,
    });
    const host = server.ready[1] ?? "";
    const account = auth === "none" ? undefined : ACCOUNT;
    const basic = Buffer.from(`${ACCOUNT.username}:${ACCOUNT.password}`).toString("base64");
    return {
      host,
      url: `${tls ? "https" : "http"}://${host}`,
      pid: server.pid,
      ca: certificates?.ca,
      certificatesDirectory: certificates && join(directory, "certs.d"),
      account,
      tokenRequests: tokenServer?.requests ?? [],
      registryAuth: () => JSON.stringify(account ? { [host]: `Basic ${basic}` } : {}),
      writeDockerConfig: async (target) => {
        await mkdir(target, { recursive: true });
        await writeFile(
          join(target, "config.json"),
          JSON.stringify({ auths: account ? { [host]: { auth: basic } } : {} }),
          { mode: 0o600 },
        );
      },
      log: server.log,
      stop: async () => {
        await server.stop();
        await tokenServer?.stop();
        await rm(directory, { recursive: true, force: true });
      },
    };
  } catch (error) {
    await tokenServer?.stop();
    await rm(directory, { recursive: true, force: true });
    throw error;
  }
}
