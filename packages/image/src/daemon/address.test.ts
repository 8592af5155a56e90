import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { daemonAddress } from "./address.ts";

let certificates: string;

beforeAll(() => {
  certificates = mkdtempSync(join(tmpdir(), "certificates-"));
  for (const name of ["ca", "cert", "key"]) writeFileSync(join(certificates, `${name}.pem`), name);
});

afterAll(() => rmSync(certificates, { recursive: true }));

describe("where the daemon is", () => {
  it.each([
    [undefined, { kind: "socket", path: "/var/run/docker.sock" }],
    ["", { kind: "socket", path: "/var/run/docker.sock" }],
    ["unix:///run/podman/podman.sock", { kind: "socket", path: "/run/podman/podman.sock" }],
    ["tcp://daemon.example:1234", { kind: "host", host: "daemon.example", port: 1234 }],
    ["tcp://daemon.example", { kind: "host", host: "daemon.example", port: 2375 }],
    ["http://daemon.example:80", { kind: "host", host: "daemon.example", port: 80 }],
    ["tcp://[::1]:2375", { kind: "host", host: "::1", port: 2375 }],
  ])("DOCKER_HOST=%s", (DOCKER_HOST, expected) => {
    const address = daemonAddress({ DOCKER_HOST });
    expect(address).toMatchObject(expected);
    expect(address).not.toHaveProperty("tls");
  });

  it.each(["unix://relative.sock", "ssh://user@host", "fd://3", "daemon.example:2375", "tcp://"])(
    "refuses DOCKER_HOST=%s",
    (DOCKER_HOST) => {
      expect(() => daemonAddress({ DOCKER_HOST })).toThrow(/^DOCKER_HOST: ".*" is no address of a daemon: /);
    },
  );

  it("speaks TLS with a directory of certificates, and checks the daemon's own when told so", () => {
    const tcp = { DOCKER_HOST: "tcp://daemon.example", DOCKER_CERT_PATH: certificates };
    const files = { ca: Buffer.from("ca"), cert: Buffer.from("cert"), key: Buffer.from("key") };
    expect(daemonAddress(tcp)).toMatchObject({ port: 2376, tls: { verify: false, ...files } });
    expect(daemonAddress({ ...tcp, DOCKER_TLS_VERIFY: "1" })).toMatchObject({ tls: { verify: true, ...files } });
    expect(daemonAddress({ DOCKER_HOST: "https://daemon.example" })).toMatchObject({ tls: { verify: true } });
  });

  it("says which certificate is missing", () => {
    rmSync(join(certificates, "key.pem"));
    const env = { DOCKER_HOST: "tcp://daemon.example", DOCKER_CERT_PATH: certificates };
    expect(() => daemonAddress(env)).toThrow(
      `DOCKER_CERT_PATH: ${join(certificates, "key.pem")} cannot be read: ENOENT`,
    );
  });
});
