import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer, request, type Server } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { Proxies, RegistryStore, resolveKeychain, Trust } from "../packages/image/src/index.ts";
import { makeBuiltApp } from "./harness/built-app.ts";
import { type Registry, startRegistry } from "./harness/registry.ts";
import { requireServer } from "./harness/require-server.ts";
import { writeScratchImage } from "./harness/scratch-image.ts";
import { copyImage, inspectImage } from "./harness/skopeo.ts";

/** A name that no resolver knows: only a proxy leads there. The registry's certificate has it. */
const HOST = "registry.example";

const BROKEN_CERTIFICATE = "-----BEGIN CERTIFICATE-----\nMIIBAAAA\n-----END CERTIFICATE-----\n";

describe.runIf(requireServer("docker-registry", "openssl", "skopeo"))("behind a proxy", () => {
  let dir: string;
  let registry: Registry;
  let proxy: Server;
  let seen: string[];
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), "proxies-"));
    await writeScratchImage(join(dir, "run"), { layers: [join(import.meta.dirname, "harness")] });
  });
  afterAll(() => rm(dir, { recursive: true, force: true }));
  afterEach(async () => {
    proxy.closeAllConnections();
    proxy.close();
    await registry.stop();
  });

  /** Starts a registry and the proxy that leads to it, whatever host is asked for. */
  async function start(tls: boolean): Promise<string> {
    registry = await startRegistry({ tls, auth: "basic" });
    seen = [];
    const [hostname, port = ""] = registry.host.split(":");
    const account = `Basic ${Buffer.from("me:secret").toString("base64")}`;
    proxy = createServer((incoming, response) => {
      seen.push(`${incoming.method} ${incoming.url} ${incoming.headers["proxy-authorization"] === account}`);
      const { pathname, search } = new URL(incoming.url ?? "");
      const { "proxy-authorization": _, ...headers } = incoming.headers;
      const outgoing = request(
        { hostname, port, method: incoming.method, path: `${pathname}${search}`, headers },
        (answer) => {
          response.writeHead(answer.statusCode ?? 500, answer.headers);
          answer.pipe(response);
        },
      );
      incoming.pipe(outgoing);
    });
    proxy.on("connect", (incoming, client) => {
      seen.push(`CONNECT ${incoming.url} ${incoming.headers["proxy-authorization"] === account}`);
      const server = connect(Number(port), hostname, () => {
        client.write("HTTP/1.1 200 Connection established\r\n\r\n");
        server.pipe(client);
        client.pipe(server);
      });
      for (const end of [client, server]) end.on("error", () => end.destroy());
    });
    await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
    await copyImage(`oci:${join(dir, "run")}`, `docker://${registry.host}/run/image:1`, { to: registry });
    return `http://me:secret@127.0.0.1:${(proxy.address() as AddressInfo).port}`;
  }

  it.each([
    { tls: true, host: HOST, variable: "HTTPS_PROXY" },
    { tls: true, host: HOST, variable: "https_proxy" },
    { tls: false, host: `${HOST}:8080`, variable: "HTTP_PROXY" },
  ])("an image is exported and opened: $variable", async ({ tls, host, variable }) => {
    const env: Record<string, string> = {
      [variable]: await start(tls),
      CNB_REGISTRY_AUTH: registry.registryAuth().replace(registry.host, host),
      SSL_CERT_FILE: registry.ca ?? "/dev/null",
      ...(!tls && { CNB_INSECURE_REGISTRIES: host }),
    };
    const name = `${host}/some/app`;
    const app = await makeBuiltApp(`${host}/run/image:1`, { layer: 500_000 });
    try {
      // Where the user whom the exporter runs as can read it; a certificate that cannot be parsed is no obstacle.
      const certificate = registry.ca === undefined ? "" : await readFile(registry.ca, "utf8");
      const ca = await app.runner.write("ca.pem", `${BROKEN_CERTIFICATE}${certificate}`);
      const outcome = await app.runner.run("exporter", [...app.exportArgs, name], { ...env, SSL_CERT_FILE: ca });
      expect(outcome.code, outcome.stdout).toBe(0);
    } finally {
      await app.remove();
    }
    const { digest } = await inspectImage(`docker://${registry.host}/some/app`, registry);
    const store = new RegistryStore({
      keychain: await resolveKeychain([], env),
      trust: new Trust(env),
      proxies: new Proxies(env),
      insecureRegistries: tls ? [] : [host],
    });
    expect((await store.open(name))?.identifier).toBe(`${name}@${digest}`);
    await store.close();
    expect(seen.length).toBeGreaterThan(0);
    for (const line of seen)
      expect(line).toMatch(tls ? /^CONNECT registry\.example:443 true$/ : /^[A-Z]+ http:.* true$/);
  });

  it("but for what NO_PROXY names, and this machine", async () => {
    const env = { HTTPS_PROXY: await start(true), SSL_CERT_FILE: registry.ca ?? "", NO_PROXY: HOST };
    const store = new RegistryStore({
      keychain: await resolveKeychain([], { CNB_REGISTRY_AUTH: registry.registryAuth() }),
      trust: new Trust(env),
      proxies: new Proxies(env),
    });
    await expect(store.checkRead(`${HOST}/some/app`)).rejects.toThrow(/ENOTFOUND|EAI_AGAIN/);
    await store.checkRead(`${registry.host}/some/app`);
    expect(seen).toEqual([]);
  });
});
