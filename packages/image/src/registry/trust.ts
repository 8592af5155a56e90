import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { createSecureContext, rootCertificates, type SecureContext } from "node:tls";

// Where Linux distributions keep the certificates they trust, in the order in which Go looks.
const bundleFiles = [
  "/etc/ssl/certs/ca-certificates.crt",
  "/etc/pki/tls/certs/ca-bundle.crt",
  "/etc/ssl/ca-bundle.pem",
  "/etc/pki/tls/cacert.pem",
  "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
  "/etc/ssl/cert.pem",
];
const certificateDirectories = ["/etc/ssl/certs", "/etc/pki/tls/certs"];

/** A certificate file is at most this long; bundles of all public authorities have some 200 kB. */
const maxFileSize = 16 * 1024 * 1024;

/** The certificate authorities that registries are checked against. Read from disk when the first one is asked. */
export class Trust {
  readonly #env: Readonly<Record<string, string | undefined>>;
  #context: Promise<SecureContext> | undefined;

  /** @param env of which SSL_CERT_FILE and SSL_CERT_DIR count, as Go and OpenSSL have them */
  constructor(env: Readonly<Record<string, string | undefined>>) {
    this.#env = env;
  }

  /** What TLS connections are made with. Files that cannot be read count as absent. */
  secureContext(): Promise<SecureContext> {
    this.#context ??= this.certificates().then(contextOf);
    return this.#context;
  }

  /** The trusted certificates, each in PEM, without repetitions. */
  async certificates(): Promise<string[]> {
    const { SSL_CERT_FILE: file, SSL_CERT_DIR: directories } = this.#env;
    const found = new Set<string>();
    for (const candidate of file ? [file] : bundleFiles) {
      const text = await readBounded(candidate);
      if (text === undefined) continue;
      addCertificates(text, found);
      break;
    }
    for (const directory of directories ? directories.split(":") : certificateDirectories) {
      for (const name of await readdir(directory).catch(() => [])) {
        const text = await readBounded(join(directory, name));
        if (text !== undefined) addCertificates(text, found);
      }
    }
    // An image with nothing in /etc/ssl, such as one made from scratch, still reaches public registries.
    return found.size === 0 && !file && !directories ? [...rootCertificates] : [...found];
  }
}

/** One certificate that cannot be parsed must not make all others useless; Go and OpenSSL leave it out as well. */
function contextOf(certificates: readonly string[]): SecureContext {
  try {
    return createSecureContext({ ca: [...certificates] });
  } catch {
    return createSecureContext({ ca: certificates.filter(isUsable) });
  }
}

function isUsable(certificate: string): boolean {
  try {
    createSecureContext({ ca: certificate });
    return true;
  } catch {
    return false;
  }
}

async function readBounded(path: string): Promise<string | undefined> {
  try {
    const status = await stat(path);
    return status.isFile() && status.size <= maxFileSize ? await readFile(path, "latin1") : undefined;
  } catch {
    return undefined;
  }
}

function addCertificates(text: string, found: Set<string>): void {
  for (const [block, base64 = ""] of text.matchAll(
    /-----BEGIN (?:TRUSTED )?CERTIFICATE-----([\s\S]*?)-----END (?:TRUSTED )?CERTIFICATE-----/g,
  )) {
    // "TRUSTED" ones carry OpenSSL's own data behind the certificate, which createSecureContext refuses.
    if (!block.startsWith("-----BEGIN TRUSTED")) found.add(pem(base64));
  }
}

function pem(base64: string): string {
  return `-----BEGIN CERTIFICATE-----\n${base64.replace(/\s/g, "").replace(/.{64}/g, "$&\n").trimEnd()}\n-----END CERTIFICATE-----\n`;
}
