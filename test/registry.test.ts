import { createHash, randomBytes } from "node:crypto";
import { mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import {
  type Digest,
  digestOf,
  type Image,
  ImageDraft,
  type Layer,
  mediaTypes,
  RegistryStore,
  resolveKeychain,
  Trust,
} from "../packages/image/src/index.ts";
import { makeCertificates } from "./harness/certificates.ts";
import { IDENTITY_TOKEN, type Registry, type RegistryOptions, startRegistry } from "./harness/registry.ts";
import { requireServer } from "./harness/require-server.ts";
import { mustRun } from "./harness/run.ts";
import { writeScratchImage } from "./harness/scratch-image.ts";
import { copyImage, inspectImage } from "./harness/skopeo.ts";

const platform = { os: "linux", architecture: "amd64" };

/** A layer that was never stored. Its bytes are random enough to be worth a look at the wire. */
function newLayer(size = 1000, delay = 0): Layer & { compressions: number } {
  const tar = randomBytes(size);
  return {
    compressions: 0,
    diffId: digestOf(tar),
    async *uncompressed() {
      yield tar;
    },
    async *compressed() {
      this.compressions++;
      const blob = gzipSync(tar);
      yield blob.subarray(0, 100);
      await sleep(delay);
      yield blob.subarray(100);
    },
  };
}

function draftOf(layers: Layer[], options: { base?: Image; previousImage?: Image } = {}): ImageDraft {
  const draft = new ImageDraft({ platform, keepHistory: true, ...options });
  for (const layer of layers) {
    if (draft.canReuse(layer.diffId)) draft.reuseLayer(layer.diffId, "reused");
    else draft.addLayer(layer, "reused");
  }
  return draft;
}

async function storeFor(registry: Registry, env: Record<string, string> = {}, options = {}): Promise<RegistryStore> {
  const variables = {
    CNB_REGISTRY_AUTH: registry.registryAuth(),
    SSL_CERT_FILE: registry.ca ?? "",
    ...env,
  };
  return new RegistryStore({
    keychain: await resolveKeychain([], variables),
    trust: new Trust(variables),
    platform,
    ...options,
  });
}

async function opened(store: RegistryStore, name: string): Promise<Image> {
  const image = await store.open(name);
  if (image === undefined) throw new Error(`${name} is not there`);
  return image;
}

async function contentOf(layer: Layer | undefined): Promise<Digest> {
  const hash = createHash("sha256");
  for await (const chunk of layer?.uncompressed() ?? []) hash.update(chunk);
  return `sha256:${hash.digest("hex")}`;
}

/** How many requests of a kind a registry saw since `from`. */
const requests = (registry: Registry, pattern: RegExp, from = 0) =>
  registry
    .log()
    .slice(from)
    .split("\n")
    .filter((line) => line.includes('"') && pattern.test(line)).length;

const kinds: [string, RegistryOptions][] = [
  ["plain", {}],
  ["TLS and a password", { tls: true, auth: "basic" }],
  ["tokens", { auth: "token" }],
  ["TLS, tokens and anonymous reading", { tls: true, auth: "token", anonymous: "pull" }],
];

describe.runIf(requireServer("docker-registry", "openssl", "skopeo"))(
  "images in registries",
  { timeout: 60_000 },
  () => {
    let dir: string;
    beforeAll(async () => {
      dir = await mkdtemp(join(tmpdir(), "images-"));
      await writeScratchImage(join(dir, "scratch"), { layers: [join(import.meta.dirname, "harness")] });
    });
    afterAll(() => rm(dir, { recursive: true, force: true }));

    describe.each(kinds)("%s", (_, options) => {
      let registry: Registry;
      let store: RegistryStore;
      beforeAll(async () => {
        registry = await startRegistry(options);
        store = await storeFor(registry);
      });
      afterAll(async () => {
        await store.close();
        await registry.stop();
      });

      it("an image that was saved is what skopeo sees, under each name", async () => {
        const names = [
          `${registry.host}/team/app`,
          `${registry.host}/team/app:two`,
          `${registry.host}/other/app:1`,
        ] as const;
        expect(await store.open(names[0])).toBeUndefined();
        await store.checkWrite(names[0]);
        const layers = [newLayer(), newLayer(300_000)];
        const draft = draftOf(layers);
        draft.setLabel("some", "label");
        draft.setEntrypoint(["/cnb/process/web"]);
        const saved = await store.save(draft, [...names]);
        expect(saved.failures.size).toBe(0);
        expect(saved.identifier).toBe(`${registry.host}/team/app@${saved.report.digest}`);
        expect(layers.map(({ compressions }) => compressions)).toEqual([1, 1]);
        for (const name of names) {
          const seen = await inspectImage(`docker://${name}`, registry);
          expect(seen.digest).toBe(saved.report.digest);
          expect(seen.config.rootfs.diff_ids).toEqual(layers.map(({ diffId }) => diffId));
          expect(seen.config.config).toEqual({ Labels: { some: "label" }, Entrypoint: ["/cnb/process/web"] });
          await copyImage(`docker://${name}`, `oci:${await mkdtemp(join(dir, "copy-"))}`, { from: registry });
        }
        const image = await opened(store, saved.identifier);
        expect(image.identifier).toBe(saved.identifier);
        expect(await Promise.all(image.layers.map(contentOf))).toEqual(layers.map(({ diffId }) => diffId));
      });

      it("a rebuild sends only what is new", async () => {
        const name = `${registry.host}/rebuilt/app:1`;
        const [kept, changed] = [newLayer(), newLayer()];
        const first = await store.save(draftOf([kept, changed]), [name]);
        const rebuild = async (...layers: Layer[]) =>
          store.save(draftOf(layers, { previousImage: await opened(store, name) }), [name]);

        let mark = registry.log().length;
        const same = await rebuild(kept, changed);
        expect(same.report).toEqual(first.report);
        expect(requests(registry, /"(PATCH|PUT|POST) /, mark)).toBe(0);

        mark = registry.log().length;
        const other = await rebuild(kept, newLayer());
        expect(other.report.digest).not.toBe(first.report.digest);
        // The new layer and the config.
        expect(requests(registry, /"PATCH /, mark)).toBe(2);
        expect(requests(registry, /"PUT \/v2\/rebuilt\/app\/manifests\//, mark)).toBe(1);
      });

      it("a layer that two images have is compressed and sent once", async () => {
        const layer = newLayer(300_000);
        await store.save(draftOf([layer]), [`${registry.host}/twice/app`]);
        const mark = registry.log().length;
        await store.save(draftOf([layer, newLayer()]), [`${registry.host}/twice/cache`]);
        expect(layer.compressions).toBe(1);
        expect(requests(registry, /"POST .*mount=.* 201 /, mark)).toBe(1);
        // The other layer and the config.
        expect(requests(registry, /"PATCH /, mark)).toBe(2);
        const image = await opened(store, `${registry.host}/twice/cache`);
        expect(await contentOf(image.layers[0])).toBe(layer.diffId);
      });

      it("base layers are mounted from their own repository", async () => {
        const baseName = `${registry.host}/bases/run:1`;
        await copyImage(`oci:${join(dir, "scratch")}`, `docker://${baseName}`, { to: registry });
        const base = await opened(store, baseName);
        const mark = registry.log().length;
        const saved = await store.save(draftOf([newLayer()], { base }), [`${registry.host}/apps/mounted`]);
        expect(requests(registry, /"POST .*mount=.* 201 /, mark)).toBe(1);
        expect(requests(registry, /"PATCH /, mark)).toBe(2);
        const seen = await inspectImage(`docker://${registry.host}/apps/mounted`, registry);
        expect(seen.digest).toBe(saved.report.digest);
        expect(seen.manifest.layers[0]).toEqual(base.manifest?.layers[0]);
      });
    });

    describe("access", () => {
      let running: Registry[] = [];
      const start = async (options: RegistryOptions) => {
        const registry = await startRegistry(options);
        running.push(registry);
        return registry;
      };
      afterEach(async () => {
        await Promise.all(running.map((registry) => registry.stop()));
        running = [];
      });

      it.each([{ auth: "basic" }, { auth: "token" }] satisfies RegistryOptions[])(
        "is denied without the right credentials: %o",
        async (options) => {
          const registry = await start(options);
          const name = `${registry.host}/team/app`;
          const wrong = JSON.stringify({ [registry.host]: `Basic ${Buffer.from("builder:wrong").toString("base64")}` });
          for (const auth of ["{}", wrong]) {
            const store = await storeFor(registry, { CNB_REGISTRY_AUTH: auth });
            const denied = { code: "unauthorized", status: 401 };
            await expect(store.checkRead(name)).rejects.toMatchObject(denied);
            await expect(store.checkWrite(name)).rejects.toMatchObject(denied);
            await expect(store.open(name)).rejects.toMatchObject(denied);
            await expect(store.save(draftOf([newLayer()]), [name])).rejects.toMatchObject({ code: "unauthorized" });
          }
        },
      );

      it("a stranger may read where strangers may, and not write", async () => {
        const registry = await start({ auth: "token", anonymous: "pull" });
        const name = `${registry.host}/team/app`;
        await (await storeFor(registry)).save(draftOf([newLayer()]), [name]);
        const stranger = await storeFor(registry, { CNB_REGISTRY_AUTH: "" });
        await stranger.checkRead(name);
        expect((await opened(stranger, name)).layers).toHaveLength(1);
        await expect(stranger.checkWrite(name)).rejects.toMatchObject({ code: "unauthorized" });
      });

      it("an identity token is exchanged", async () => {
        const registry = await start({ auth: "token" });
        const auth = JSON.stringify({ [registry.host]: `X-Identity ${IDENTITY_TOKEN}` });
        const store = await storeFor(registry, { CNB_REGISTRY_AUTH: auth });
        await store.save(draftOf([newLayer()]), [`${registry.host}/team/app`]);
        expect(new Set(registry.tokenRequests.map(({ method }) => method))).toEqual(new Set(["POST"]));
      });

      it("a token that expires in the middle is renewed", async () => {
        const registry = await start({ auth: "token", tokenLifetime: 2 });
        const store = await storeFor(registry);
        const name = `${registry.host}/team/app`;
        const saved = await store.save(draftOf([newLayer(1000, 3000), newLayer()]), [name]);
        expect((await inspectImage(`docker://${name}`, registry)).digest).toBe(saved.report.digest);
      });

      it("tokens are asked for once for each thing to do", async () => {
        const registry = await start({ auth: "token" });
        const store = await storeFor(registry);
        const name = `${registry.host}/team/app`;
        await store.checkRead(name);
        await store.checkWrite(name);
        await store.save(draftOf([newLayer(), newLayer(), newLayer()]), [name, `${name}:two`]);
        await store.open(name);
        expect(registry.tokenRequests.map(({ scopes }) => scopes)).toEqual([
          ["repository:team/app:pull"],
          ["repository:team/app:push,pull"],
        ]);
      });

      it("a docker config.json is used", async () => {
        const registry = await start({ tls: true, auth: "basic" });
        await registry.writeDockerConfig(join(dir, "config"));
        const store = await storeFor(registry, { CNB_REGISTRY_AUTH: "", DOCKER_CONFIG: join(dir, "config") });
        await store.checkWrite(`${registry.host}/team/app`);
      });

      it("a certificate is believed from SSL_CERT_FILE, SSL_CERT_DIR, and never without", async () => {
        const registry = await start({ tls: true });
        const name = `${registry.host}/team/app`;
        const none = join(dir, "none.pem");
        await writeFile(none, "");
        await expect((await storeFor(registry, { SSL_CERT_FILE: none })).checkRead(name)).rejects.toThrow(
          /SSL_CERT_FILE/,
        );
        await (
          await storeFor(registry, { SSL_CERT_FILE: none, SSL_CERT_DIR: registry.certificatesDirectory ?? "" })
        ).checkRead(name);
      });

      it("a registry that is named insecure needs no certificate to be believed", async () => {
        const registry = await start({ tls: true, auth: "basic" });
        const none = join(dir, "empty.pem");
        await writeFile(none, "");
        const name = `${registry.host}/team/app`;
        for (const insecure of [registry.host, `${registry.host}/team`, registry.host.replace(/:\d+$/, "")]) {
          const store = await storeFor(registry, { SSL_CERT_FILE: none }, { insecureRegistries: [insecure] });
          await store.save(draftOf([newLayer()]), [name]);
        }
        const insecureRegistries = ["", registry.host.slice(0, -1), `${registry.host}/other`];
        const other = await storeFor(registry, { SSL_CERT_FILE: none }, { insecureRegistries });
        await expect(other.checkRead(name)).rejects.toMatchObject({ code: "untrusted" });
      });

      it("a registry that is not there is named", async () => {
        const registry = await start({});
        await registry.stop();
        running = [];
        const warnings: string[] = [];
        const store = await storeFor(registry, {}, { warn: (message: string) => warnings.push(message) });
        await expect(store.checkRead(`${registry.host}/app`)).rejects.toMatchObject({
          code: "unreachable",
          message: expect.stringMatching(new RegExp(`^GET http://${registry.host}/v2/: connect ECONNREFUSED`)),
        });
        expect(warnings.length).toBeGreaterThan(0);
      });
    });

    describe("formats", () => {
      let registry: Registry;
      let store: RegistryStore;
      beforeAll(async () => {
        registry = await startRegistry();
        store = await storeFor(registry);
      });
      afterAll(async () => {
        await store.close();
        await registry.stop();
      });

      it("an image on a Docker image is a Docker image", async () => {
        const name = `${registry.host}/docker/base`;
        await mustRun("skopeo", [
          ...["copy", "--quiet", "--insecure-policy", "--format", "v2s2", "--dest-tls-verify=false"],
          ...[`oci:${join(dir, "scratch")}`, `docker://${name}`],
        ]);
        const base = await opened(store, name);
        expect(base.manifest?.mediaType).toBe(mediaTypes.dockerManifest);
        await store.save(draftOf([newLayer()], { base }), [`${registry.host}/docker/app`]);
        const { manifest } = await inspectImage(`docker://${registry.host}/docker/app`, registry);
        expect(manifest.mediaType).toBe(mediaTypes.dockerManifest);
        expect(manifest.config.mediaType).toBe(mediaTypes.dockerConfig);
        expect(manifest.layers.map(({ mediaType }) => mediaType)).toEqual([
          mediaTypes.dockerLayerGzip,
          mediaTypes.dockerLayerGzip,
        ]);
      });

      it("of an index, the entry for the platform is opened, and none for another", async () => {
        const entries = [];
        for (const architecture of ["arm64", "amd64"]) {
          const name = `${registry.host}/multi/app:${architecture}`;
          const layout = join(dir, architecture);
          const content = join(import.meta.dirname, "harness");
          const manifest = await writeScratchImage(layout, { layers: [content], architecture });
          await copyImage(`oci:${layout}`, `docker://${name}`, { to: registry });
          entries.push({ ...manifest, platform: { os: "linux", architecture } });
        }
        const put = await fetch(`${registry.url}/v2/multi/app/manifests/latest`, {
          method: "PUT",
          headers: { "content-type": mediaTypes.ociIndex },
          body: JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: entries }),
        });
        expect(put.status).toBe(201);
        const image = await opened(store, `${registry.host}/multi/app`);
        expect(image.platform).toEqual(platform);
        expect(image.identifier).toBe(`${registry.host}/multi/app@${entries[1]?.digest}`);
        const s390x = await storeFor(registry, {}, { platform: { os: "linux", architecture: "s390x" } });
        expect(await s390x.open(`${registry.host}/multi/app`)).toBeUndefined();
      });
    });

    describe("a network between", () => {
      let registry: Registry;
      beforeAll(async () => {
        registry = await startRegistry({ auth: "basic" });
      });
      afterAll(() => registry.stop());

      type Meddler = (incoming: IncomingMessage, response: ServerResponse, pass: () => void) => void;
      const servers: Server[] = [];
      afterEach(async () => {
        for (const server of servers.splice(0)) {
          server.closeAllConnections();
          await new Promise((resolve) => server.close(resolve));
        }
      });

      /** Starts a server before the registry, or in its place; gives its host. */
      async function startProxy(meddle: Meddler): Promise<string> {
        const [hostname, port] = registry.host.split(":");
        const server = createServer((incoming, response) =>
          meddle(incoming, response, () => {
            const { host: _, ...headers } = incoming.headers;
            const outgoing = request(
              { hostname, port, method: incoming.method, path: incoming.url, headers },
              (answer) => {
                const location = answer.headers.location?.replace(registry.host, incoming.headers.host ?? "");
                response.writeHead(answer.statusCode ?? 500, { ...answer.headers, ...(location && { location }) });
                answer.pipe(response);
              },
            );
            outgoing.on("error", () => response.destroy());
            incoming.pipe(outgoing);
          }),
        );
        await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
        servers.push(server);
        return `127.0.0.1:${(server.address() as AddressInfo).port}`;
      }

      async function storeThrough(host: string, warnings: string[] = []): Promise<RegistryStore> {
        const auth = registry.registryAuth().replace(registry.host, host);
        return storeFor(registry, { CNB_REGISTRY_AUTH: auth }, { warn: (message: string) => warnings.push(message) });
      }

      it("credentials do not follow a redirect to another host", async () => {
        const seen: (string | undefined)[] = [];
        const auth = `Basic ${Buffer.from(`${registry.account?.username}:${registry.account?.password}`).toString("base64")}`;
        const storage = await startProxy((incoming, _, pass) => {
          seen.push(incoming.headers.authorization);
          incoming.headers.authorization = auth;
          pass();
        });
        const host = await startProxy((incoming, response, pass) => {
          if (incoming.method !== "GET" || !incoming.url?.includes("/blobs/")) return pass();
          response.writeHead(307, { location: `http://${storage}${incoming.url}` }).end();
        });
        const store = await storeThrough(host);
        const layer = newLayer();
        await store.save(draftOf([layer]), [`${host}/redirected/app`]);
        const image = await opened(store, `${host}/redirected/app`);
        expect(await contentOf(image.layers[0])).toBe(layer.diffId);
        expect(seen).toEqual([undefined, undefined]);
      });

      it("errors that pass are waited for, as long as the registry asks", async () => {
        const faults = [503, 429, 500, 502, 504, 408];
        const met = new Map<string, number>();
        const host = await startProxy((incoming, response, pass) => {
          const kind = `${incoming.method} ${incoming.url?.replace(/[?].*|sha256:.*|[0-9a-f-]{36}/g, "")}`;
          if (met.has(kind)) return pass();
          const status = faults[met.size % faults.length] ?? 503;
          met.set(kind, Date.now());
          response.writeHead(status, status === 429 ? { "retry-after": "2" } : {}).end();
        });
        const warnings: string[] = [];
        const store = await storeThrough(host, warnings);
        const layer = newLayer();
        const started = Date.now();
        const saved = await store.save(draftOf([layer]), [`${host}/faulty/app`]);
        expect(Date.now() - started).toBeGreaterThan(2000);
        const image = await opened(store, `${host}/faulty/app`);
        expect(image.identifier).toBe(saved.identifier);
        expect(await contentOf(image.layers[0])).toBe(layer.diffId);
        expect(warnings.length).toBeGreaterThanOrEqual(met.size);
        expect(warnings.join()).toMatch(/429 Too Many Requests; trying again in 2\.0 s/);
      });

      it("an upload that is cut off is sent again, a download goes on where it was cut off", async () => {
        let cuts = 0;
        const ranges: (string | undefined)[] = [];
        const host = await startProxy((incoming, response, pass) => {
          if (incoming.method === "PATCH" && cuts < 2) {
            cuts++;
            incoming.once("data", () => incoming.destroy());
            return;
          }
          if (incoming.method === "GET" && incoming.url?.includes("/blobs/sha256:")) {
            ranges.push(incoming.headers.range);
            if (ranges.length === 2) {
              let sent = 0;
              const write = response.write.bind(response);
              response.write = ((chunk: Buffer) => {
                // What was written has to leave, and nothing after it.
                if (sent > 100_000) return true;
                sent += chunk.length;
                return write(chunk, () => sent > 100_000 && response.destroy());
              }) as typeof response.write;
            }
          }
          pass();
        });
        const store = await storeThrough(host);
        const layer = newLayer(3_000_000);
        await store.save(draftOf([layer]), [`${host}/cut/app`]);
        expect(cuts).toBe(2);
        const image = await opened(store, `${host}/cut/app`);
        expect(await contentOf(image.layers[0])).toBe(layer.diffId);
        expect(ranges).toHaveLength(3);
        expect(ranges[2]).toMatch(/^bytes=\d{6,}-$/);
      });

      it("a blob that the registry has lost the end of is noticed", async () => {
        const host = await startProxy((incoming, response, pass) => {
          if (incoming.method !== "GET" || !incoming.url?.includes("/blobs/")) return pass();
          if (incoming.headers.range !== undefined) response.writeHead(416).end();
          else response.writeHead(200, { "content-length": 5 }).end("{    ");
        });
        const store = await storeThrough(host);
        await store.save(draftOf([newLayer()]), [`${host}/shorter/app`]);
        const reason = {
          code: "corrupt",
          message: expect.stringMatching(/: expected \d+ bytes of sha256:\w+, found 5$/),
        };
        await expect(store.open(`${host}/shorter/app`)).rejects.toMatchObject(reason);
      });

      it("a bit that flips on the way is noticed", async () => {
        const host = await startProxy((incoming, response, pass) => {
          if (incoming.method === "GET" && incoming.url?.includes("/blobs/")) {
            const write = response.write.bind(response);
            response.write = ((chunk: Buffer) => {
              chunk[chunk.length - 1] = (chunk[chunk.length - 1] ?? 0) ^ 1;
              return write(chunk);
            }) as typeof response.write;
          }
          pass();
        });
        const store = await storeThrough(host);
        await store.save(draftOf([newLayer()]), [`${host}/flipped/app`]);
        await expect(store.open(`${host}/flipped/app`)).rejects.toMatchObject({ code: "corrupt" });
      });

      it("a failed save sets no name and says why", async () => {
        const host = await startProxy((incoming, response, pass) => {
          if (incoming.method !== "PUT" || incoming.url?.includes("/manifests/")) return pass();
          const errors = [{ code: "DENIED", message: "quota exceeded" }];
          response.writeHead(403, { "content-type": "application/json" }).end(JSON.stringify({ errors }));
        });
        const store = await storeThrough(host);
        await expect(store.save(draftOf([newLayer()]), [`${host}/failed/app`])).rejects.toThrow(
          /^failed to write image to the following tags: \[127\.0\.0\.1:\d+\/failed\/app: PUT http:.*: DENIED: quota exceeded; it was shown the credentials for .*\]$/,
        );
        expect(await store.open(`${host}/failed/app`)).toBeUndefined();
      });
    });
  },
);

describe.runIf(requireServer("openssl"))("a registry that has blobs uploaded elsewhere", () => {
  let dir: string;
  const servers: Server[] = [];
  const seen: string[] = [];

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), "elsewhere-"));
  });

  afterEach(() => {
    for (const server of servers.splice(0)) server.close().closeAllConnections();
    seen.length = 0;
  });

  afterAll(() => rm(dir, { recursive: true, force: true }));

  async function listen(server: Server): Promise<string> {
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return `127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  /** Saves an image in a registry over TLS that answers every POST with a place on another server. */
  async function save(scheme: "http" | "https"): Promise<unknown> {
    const { ca, certificate, key } = await makeCertificates(dir);
    const pair = { cert: await readFile(certificate), key: await readFile(key) };
    const take = (incoming: IncomingMessage, response: ServerResponse): void => {
      seen.push(`${incoming.method} ${incoming.headers.authorization}`);
      incoming
        .resume()
        .once("end", () => response.writeHead(incoming.method === "PATCH" ? 202 : 201, { location: "/" }).end());
    };
    const place = await listen(scheme === "http" ? createServer(take) : createTlsServer(pair, take));
    const registry = createTlsServer(pair, ({ method, url, headers }, response) => {
      if (headers.authorization === undefined) response.writeHead(401, { "www-authenticate": 'Basic realm="r"' }).end();
      else if (method === "POST") response.writeHead(202, { location: `${scheme}://${place}/upload` }).end();
      else if (method === "PUT") response.writeHead(201).end();
      else response.writeHead(url === "/v2/" ? 200 : 404).end();
    });
    const host = await listen(registry);
    const variables = { CNB_REGISTRY_AUTH: JSON.stringify({ [host]: "Basic bWU6c2VjcmV0" }), SSL_CERT_FILE: ca };
    const keychain = await resolveKeychain([], variables);
    const store = new RegistryStore({ keychain, trust: new Trust(variables), platform });
    try {
      return await store.save(draftOf([newLayer()]), [`${host}/app`]);
    } finally {
      await store.close();
    }
  }

  it("does not get them sent over plain HTTP", async () => {
    await expect(save("http")).rejects.toThrow(/POST https:.*: redirected from https to http:/);
    expect(seen).toEqual([]);
  });

  it("gets them there without its credentials", async () => {
    await save("https");
    expect(new Set(seen)).toEqual(new Set(["PATCH undefined", "PUT undefined"]));
  });
});

describe("trust", () => {
  it("takes each certificate of a bundle and a directory once", async () => {
    const dir = await mkdtemp(join(tmpdir(), "trust-"));
    try {
      await mustRun("openssl", [
        ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"],
        ...["-subj", "/CN=authority", "-keyout", join(dir, "key"), "-out", join(dir, "ca.pem")],
      ]);
      const text = await readFile(join(dir, "ca.pem"), "latin1");
      await writeFile(join(dir, "bundle"), `# a comment\n${text}\r\n${text.replaceAll("\n", "\r\n")}`);
      await symlink("ca.pem", join(dir, "0123abcd.0"));
      const env = { SSL_CERT_FILE: join(dir, "bundle"), SSL_CERT_DIR: dir };
      expect(new Trust(env).certificates()).toEqual([text]);
    } finally {
      await rm(dir, { recursive: true });
    }
  });
});
