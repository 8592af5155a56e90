import { readdirSync, readFileSync, statSync } from "node:fs";
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
  #context: SecureContext | undefined;

  /** @param env of which SSL_CERT_FILE and SSL_CERT_DIR count, as Go and OpenSSL have them */
  constructor(env: Readonly<Record<string, string | undefined>>) {
    this.#env = env;
  }

  /** What TLS connections are made with. Files that cannot be read count as absent. */
  secureContext(): SecureContext {
    this.#context ??= contextOf(this.certificates());
    return this.#context;
  }

  /** The trusted certificates, each in PEM, without repetitions. */
  certificates(): string[] {
    const { SSL_CERT_FILE: file, SSL_CERT_DIR: directories } = this.#env;
    const files = new CertificateFiles();
    (file ? [file] : bundleFiles).some((candidate) => files.read(candidate));
    for (const directory of directories ? directories.split(":") : certificateDirectories) {
      for (const name of namesIn(directory)) files.read(join(directory, name));
    }
    const found = files.certificates();
    // An image with nothing in /etc/ssl, such as one made from scratch, still reaches public registries.
    return found.length === 0 && !file && !directories ? [...rootCertificates] : found;
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

/**
 * Reads certificates from files: hundreds of small ones, for which synchronous calls take a tenth of the time. Most names
 * in a directory of certificates are symlinks to others there, and most certificates are in the bundle too: each file is
 * read once, and each certificate taken once.
 */
class CertificateFiles {
  readonly #read = new Set<string>();
  /** What stands between the lines that begin and end a certificate. */
  readonly #base64 = new Set<string>();

  /** @returns whether there is a file of that name */
  read(path: string): boolean {
    try {
      const status = statSync(path, { bigint: true });
      if (!status.isFile() || status.size > maxFileSize) return false;
      const file = `${status.dev}:${status.ino}`;
      if (!this.#read.has(file)) this.#add(readFileSync(path, "latin1"));
      this.#read.add(file);
      return true;
    } catch {
      return false;
    }
  }

  /** Those that were read, each in PEM, without repetitions. */
  certificates(): string[] {
    return [...new Set([...this.#base64].map(pem))];
  }

  #add(text: string): void {
    for (const [block, base64 = ""] of text.matchAll(
      /-----BEGIN (?:TRUSTED )?CERTIFICATE-----([\s\S]*?)-----END (?:TRUSTED )?CERTIFICATE-----/g,
    )) {
      // "TRUSTED" ones carry OpenSSL's own data behind the certificate, which createSecureContext refuses.
      if (!block.startsWith("-----BEGIN TRUSTED")) this.#base64.add(base64);
    }
  }
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

function pem(base64: string): string {
  return `-----BEGIN CERTIFICATE-----\n${base64.replace(/\s/g, "").replace(/.{64}/g, "$&\n").trimEnd()}\n-----END CERTIFICATE-----\n`;
}
