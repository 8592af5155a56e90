import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { mustRun } from "./run.ts";

/** Files (PEM) of a private certificate authority and of a certificate for 127.0.0.1 that it signed, for servers and clients. */
export interface Certificates {
  /** The certificate of the authority: what a client has to trust. */
  ca: string;
  certificate: string;
  key: string;
}

/**
 * Makes a private certificate authority and a server certificate in a directory, for 127.0.0.1, localhost and
 * registry.example.
 * @param names further names that the server has
 */
export async function makeCertificates(directory: string, names: readonly string[] = []): Promise<Certificates> {
  const file = (name: string) => join(directory, name);
  const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  await mustRun("openssl", [
    ...["req", "-x509", ...newKey, "-days", "2", "-subj", "/CN=private test authority"],
    ...["-addext", "keyUsage=critical,keyCertSign", "-keyout", file("ca.key"), "-out", file("ca.crt")],
  ]);
  await mustRun("openssl", [
    ...["req", "-new", ...newKey, "-subj", "/CN=127.0.0.1"],
    ...["-keyout", file("server.key"), "-out", file("server.csr")],
  ]);
  await writeFile(
    file("server.ext"),
    `subjectAltName=IP:127.0.0.1,${["localhost", "registry.example", ...names].map((name) => `DNS:${name}`)}\nextendedKeyUsage=serverAuth,clientAuth\nbasicConstraints=CA:FALSE\n`,
  );
  await mustRun("openssl", [
    ...["x509", "-req", "-in", file("server.csr"), "-days", "2", "-extfile", file("server.ext")],
    ...["-CA", file("ca.crt"), "-CAkey", file("ca.key"), "-CAcreateserial", "-out", file("server.crt")],
  ]);
  return { ca: file("ca.crt"), certificate: file("server.crt"), key: file("server.key") };
}

/** Makes a self-signed certificate (EC, P-256) with which a token server signs; both files are PEM. */
export async function makeSigningCertificate(directory: string): Promise<{ certificate: string; key: string }> {
  const certificate = join(directory, "token.crt");
  const key = join(directory, "token.key");
  await mustRun("openssl", [
    ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"],
    ...["-subj", "/CN=token server", "-keyout", key, "-out", certificate],
  ]);
  return { certificate, key };
}
