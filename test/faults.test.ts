import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import type { IncomingMessage } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type BuiltApp, makeBuiltApp, seededRandom } from "./harness/built-app.ts";
import { type FaultProxy, type Faults, startFaultProxy } from "./harness/fault-proxy.ts";
import { type Registry, startRegistry } from "./harness/registry.ts";
import { requireServer } from "./harness/require-server.ts";
import type { Outcome } from "./harness/run.ts";
import { writeScratchImage } from "./harness/scratch-image.ts";
import { copyImage, inspectImage } from "./harness/skopeo.ts";
import { readWholeImage } from "./harness/whole-image.ts";

/** How many places an export is cut at; docs/faults.md has the numbers for 200. */
const POSITIONS = Number(process.env.FAULT_POSITIONS ?? 25);
const SEED = Number(process.env.FAULT_SEED ?? 1);

const LAYERS = { large: 2_000_000, middle: 300_000, small: 2_000 };

/** How long the exports of the running test took, in seconds. */
let took: number[] = [];

async function timed(run: Promise<Outcome>): Promise<Outcome> {
  const started = performance.now();
  const outcome = await run;
  took.push((performance.now() - started) / 1000);
  return outcome;
}

beforeEach(() => {
  took = [];
});

/** Prints what goes into the tables of docs/faults.md. */
afterEach(() => {
  if (took.length === 0) return;
  const mean = took.reduce((sum, seconds) => sum + seconds, 0) / took.length;
  const name = expect.getState().currentTestName?.replace(/.* > /, "");
  process.stdout.write(`${name}: ${took.length} exports, ${mean.toFixed(2)} s each\n`);
});

describe.runIf(requireServer("docker-registry", "skopeo"))("an export through a bad network", () => {
  let dir: string;
  let registry: Registry;
  let proxy: FaultProxy;
  /** Where the registry's answers may lead to; shows the registry the credentials that nobody else may show. */
  let storage: FaultProxy;
  let app: BuiltApp;
  /** Of the image that an export makes when nothing goes wrong. */
  let digest: string | undefined;
  /** Bytes that such an export moves. */
  let bytes: number;
  let images = 0;

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), "faults-"));
    registry = await startRegistry({ auth: "basic" });
    const header = Object.values(JSON.parse(registry.registryAuth()) as Record<string, string>)[0];
    proxy = await startFaultProxy(registry.host);
    storage = await startFaultProxy(registry.host, header === undefined ? {} : { authorization: header });
    await writeScratchImage(join(dir, "run"), { layers: [join(import.meta.dirname, "harness")] });
    await copyImage(`oci:${join(dir, "run")}`, `docker://${registry.host}/run/image:1`, { to: registry });
    app = await makeBuiltApp(`${proxy.host}/run/image:1`, LAYERS);
    const outcome = await exportApp({});
    expect(outcome.code, outcome.stdout).toBe(0);
    bytes = proxy.bytes;
    digest = await readWholeImage(registry, `app/${images}`);
    expect(digest).toBeDefined();
  });

  afterAll(async () => {
    await app?.remove();
    await storage?.stop();
    await proxy?.stop();
    await registry?.stop();
    await rm(dir, { recursive: true, force: true });
  });

  beforeEach(() => storage.begin());

  /** Exports the application to a repository of its own, through the proxy. */
  function exportApp(faults: Faults): Promise<Outcome> {
    images++;
    proxy.begin(faults);
    const auth = registry.registryAuth().replace(registry.host, proxy.host);
    return timed(
      app.runner.run("exporter", [...app.exportArgs, `${proxy.host}/app/${images}`], { CNB_REGISTRY_AUTH: auth }),
    );
  }

  const made = (pattern: RegExp) =>
    proxy.requests.filter(({ method, path, status }) => pattern.test(`${method} ${path} ${status ?? ""}`)).length;
  const blobsSent = () => made(/^PATCH /);
  const blobsStored = () => made(/^PUT .*\/blobs\/uploads\/.* 201$/);

  /** The export has to have made the one right image, and to have stored no blob twice. */
  async function expectRightImage(outcome: Outcome, what = ""): Promise<void> {
    const context = `${what}\n${outcome.stdout}${outcome.stderr}`;
    expect(outcome.code, context).toBe(0);
    expect(await readWholeImage(registry, `app/${images}`), context).toBe(digest);
    const stored = proxy.requests
      .filter(({ method, status }) => method === "PUT" && status === 201)
      .map(({ path }) => path.replace(/.*digest=/, ""));
    expect(new Set(stored).size, context).toBe(stored.length);
  }

  it(`makes the image when cut at any of ${POSITIONS} places`, { timeout: POSITIONS * 10_000 }, async () => {
    const random = seededRandom(SEED);
    const needed = await blobsNeeded();
    let sent = 0;
    for (let i = 0; i < POSITIONS; i++) {
      const cutAt = Math.floor(random() * bytes);
      const outcome = await exportApp({ cutAt });
      sent += blobsSent();
      await expectRightImage(outcome, `cut at byte ${cutAt} of ${bytes}`);
      expect(blobsStored()).toBe(needed);
      // One connection was cut, with at most one blob on it.
      expect(blobsSent(), `cut at byte ${cutAt} of ${bytes}\n${outcome.stdout}`).toBeLessThanOrEqual(needed + 1);
    }
    process.stdout.write(`${sent - POSITIONS * needed} of ${POSITIONS * needed} blobs were begun again\n`);
  });

  it("goes on where it was cut off, if the registry says where that is", async () => {
    const needed = await blobsNeeded();
    const random = seededRandom(SEED + 1);
    let resumed = 0;
    for (let i = 0; i < 5; i++) {
      const cutAt = Math.floor((0.4 + 0.3 * random()) * bytes);
      await expectRightImage(await exportApp({ cutAt, resumable: true }), `cut at byte ${cutAt} of ${bytes}`);
      expect(blobsSent()).toBeLessThanOrEqual(needed + 1);
      expect(made(/^POST /)).toBeLessThanOrEqual(needed + 1);
      if (made(/^GET .*\/blobs\/uploads\/.* 204$/) === 1 && blobsSent() === needed + 1) {
        resumed++;
        // A part of the blob was saved.
        expect(proxy.bytes).toBeLessThan(bytes + 600_000);
      }
    }
    expect(resumed).toBeGreaterThan(0);
  });

  it.each([429, 500, 502, 503, 504])(
    "makes the image when every kind of request is first answered with %d",
    async (status) => {
      const met = new Set<string>();
      const answer = (request: IncomingMessage) => {
        const kind = kindOf(request);
        if (met.has(kind)) return undefined;
        met.add(kind);
        return { status, ...(status === 429 && { headers: { "retry-after": "1" } }) };
      };
      const outcome = await exportApp({ answer });
      await expectRightImage(outcome);
      expect(met.size).toBeGreaterThan(6);
      expect(outcome.stdout).toContain(`${status}`);
    },
  );

  it("makes the image when all answers take three times as long", async () => {
    await expectRightImage(await exportApp({ slowness: 3 }));
  });

  it("makes the image when nothing goes wrong", async () => {
    for (let i = 0; i < 5; i++) await expectRightImage(await exportApp({}));
  });

  it("fetches again what arrives with a wrong bit", async () => {
    for (const what of [/\/manifests\/1$/, /\/blobs\/sha256:/]) {
      let flipped = 0;
      const change = ({ method, url = "" }: IncomingMessage, chunk: Buffer) => {
        if (method !== "GET" || !what.test(url) || flipped++ > 0) return;
        chunk[chunk.length >> 1] = (chunk[chunk.length >> 1] ?? 0) ^ 4;
      };
      const outcome = await exportApp({ change });
      await expectRightImage(outcome);
      expect(flipped).toBeGreaterThan(0);
      expect(outcome.stdout).toMatch(/; fetching it again/);
    }
  });

  it("sends again what reaches the registry with a wrong bit", async () => {
    const needed = await blobsNeeded();
    for (const part of [0.4, 0.5, 0.6]) {
      await expectRightImage(await exportApp({ flipAt: Math.floor(part * bytes) }));
      expect(blobsSent()).toBe(needed + 1);
    }
  });

  it("brings the run image's layers whole from another registry", async () => {
    const { host } = storage;
    const other = await makeBuiltApp(`${host}/run/image:1`, { small: 1000 });
    const isLayer = ({ method, url = "" }: IncomingMessage) => method === "GET" && url.includes("/blobs/sha256:");
    const exportTo = async (name: string, faults: Faults) => {
      storage.begin(faults);
      proxy.begin();
      const env = { CNB_REGISTRY_AUTH: registry.registryAuth().replace(registry.host, proxy.host) };
      const outcome = await timed(other.runner.run("exporter", [...other.exportArgs, `${proxy.host}/${name}`], env));
      expect(outcome.code, outcome.stdout).toBe(0);
      return { outcome, digest: await readWholeImage(registry, name) };
    };
    try {
      const right = await exportTo("other/1", {});
      const wanted = storage.requests.filter(({ path }) => path.includes("/blobs/sha256:")).length;
      expect(wanted).toBe(2);
      const cutAt = storage.bytes - 3000;
      let flips = 0;
      const change = (request: IncomingMessage, chunk: Buffer) => {
        // The config comes first.
        if (isLayer(request) && chunk.length > 5000 && flips++ === 0) chunk[4000] = (chunk[4000] ?? 0) ^ 1;
      };
      const flipped = await exportTo("other/2", { change });
      expect(flips).toBeGreaterThan(1);
      expect(flipped.digest).toBe(right.digest);
      const cut = await exportTo("other/3", { cutAt });
      expect(cut.digest).toBe(right.digest);
      expect(storage.requests.filter(({ path }) => path.includes("/blobs/sha256:")).length).toBe(wanted + 1);
    } finally {
      await other.remove();
    }
  });

  it("shows its credentials to the registry alone", async () => {
    const answer = ({ method, url = "" }: IncomingMessage) =>
      method === "GET" && /\/blobs\/sha256:/.test(url)
        ? { status: 307, headers: { location: `http://${storage.host}${url}` } }
        : undefined;
    await expectRightImage(await exportApp({ answer }));
    expect(storage.requests.length).toBeGreaterThan(0);
    expect(storage.requests.filter(({ authorization }) => authorization !== undefined)).toEqual([]);
  });

  it.each<[string, Faults, RegExp]>([
    ["is cut", { cutAlways: true }, /ECONNRESET|socket hang up|closed/],
    ["answers 503", { answer: () => ({ status: 503 }) }, /503 Service Unavailable/],
    ["answers 429", { answer: () => ({ status: 429 }) }, /429 Too Many Requests/],
    [
      "flips bits in all it sends",
      { change: (_, chunk) => chunk.set(chunk.map((byte) => byte ^ 1)) },
      /not JSON|digest/,
    ],
  ])(
    "says what is wrong within a minute when the network %s for ever",
    { timeout: 70_000 },
    async (_, faults, words) => {
      const started = performance.now();
      const outcome = await exportApp(faults);
      expect(performance.now() - started).toBeLessThan(60_000);
      expect(outcome.code, outcome.stdout).toBe(62);
      const last = outcome.stdout.trimEnd().split("\n").at(-1) ?? "";
      expect(last).toContain("ERROR: ");
      expect(last).toContain(proxy.host);
      expect(last).toMatch(words);
      expect(await readWholeImage(registry, `app/${images}`)).toBeUndefined();
    },
  );

  it("is given up at once when told to stop, even if nobody answers", async () => {
    proxy.begin({ silent: true });
    const child = app.runner.start("exporter", [...app.exportArgs, `${proxy.host}/app/stopped`]);
    const gone = once(child, "exit");
    let output = "";
    child.stdout?.on("data", (chunk) => {
      output += chunk;
    });
    while (proxy.requests.length === 0) await sleep(20);
    const started = performance.now();
    child.kill("SIGTERM");
    expect((await gone)[0]).toBe(143);
    expect(performance.now() - started).toBeLessThan(2000);
    expect(output).toMatch(/ERROR: .*stopped by SIGTERM/);
  });

  /** How many blobs an export has to send: those of the image that the run image does not have. */
  async function blobsNeeded(): Promise<number> {
    const outcome = await exportApp({});
    expect(outcome.code, outcome.stdout).toBe(0);
    expect(blobsSent()).toBe(blobsStored());
    return blobsSent();
  }
});

describe.runIf(requireServer("docker-registry", "openssl", "skopeo"))("an export over TLS", () => {
  it("makes the image when the connection is cut, or a bit flips, at any of some places", async () => {
    const dir = await mkdtemp(join(tmpdir(), "tls-"));
    const registry = await startRegistry({ tls: true, auth: "basic" });
    const proxy = await startFaultProxy(registry.host, { tls: true });
    const app = await makeBuiltApp(`${proxy.host}/run/image:1`, LAYERS);
    try {
      await writeScratchImage(join(dir, "run"), { layers: [join(import.meta.dirname, "harness")] });
      await copyImage(`oci:${join(dir, "run")}`, `docker://${registry.host}/run/image:1`, { to: registry });
      // Where the user whom the exporter runs as can read it.
      const ca = await app.runner.write("ca.pem", await readFile(registry.ca ?? "", "utf8"));
      const auth = registry.registryAuth().replace(registry.host, proxy.host);
      const exported = async (name: string, faults: Faults) => {
        proxy.begin(faults);
        const env = { CNB_REGISTRY_AUTH: auth, SSL_CERT_FILE: ca };
        const outcome = await timed(app.runner.run("exporter", [...app.exportArgs, `${proxy.host}/${name}`], env));
        const context = `${name} ${JSON.stringify(faults)}\n${outcome.stdout}${outcome.stderr}`;
        expect(outcome.code, context).toBe(0);
        await copyImage(`docker://${registry.host}/${name}`, `oci:${await mkdtemp(join(dir, "copy-"))}`, {
          from: registry,
        });
        return (await inspectImage(`docker://${registry.host}/${name}`, registry)).digest;
      };
      const digest = await exported("app", {});
      const { bytes } = proxy;
      const random = seededRandom(SEED);
      for (let i = 0; i < POSITIONS; i += 4) {
        expect(await exported(`cut/${i}`, { cutAt: Math.floor(random() * bytes) })).toBe(digest);
        expect(await exported(`flipped/${i}`, { flipAt: Math.floor(random() * bytes) })).toBe(digest);
      }
    } finally {
      await app.remove();
      await proxy.stop();
      await registry.stop();
      await rm(dir, { recursive: true, force: true });
    }
  });
});

describe.runIf(requireServer("docker-registry", "openssl", "skopeo"))("an export with tokens that do not last", () => {
  let dir: string;
  let registry: Registry;
  let proxy: FaultProxy;
  let app: BuiltApp;
  let challenge: string;

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), "tokens-"));
    registry = await startRegistry({ auth: "token", tokenLifetime: 1 });
    challenge = (await fetch(`${registry.url}/v2/`)).headers.get("www-authenticate") ?? "";
    proxy = await startFaultProxy(registry.host);
    await writeScratchImage(join(dir, "run"), { layers: [join(import.meta.dirname, "harness")] });
    await copyImage(`oci:${join(dir, "run")}`, `docker://${registry.host}/run/image:1`, { to: registry });
    app = await makeBuiltApp(`${proxy.host}/run/image:1`, LAYERS);
  });

  afterAll(async () => {
    await app?.remove();
    await proxy?.stop();
    await registry?.stop();
    await rm(dir, { recursive: true, force: true });
  });

  /** The registry itself takes a token for a minute more than it lasts. */
  const refused = { status: 401, headers: { "www-authenticate": "" } };

  it.each<[string, number, () => Faults["answer"]]>([
    [
      "that expire after a second",
      20,
      () =>
        ({ headers: { authorization = "" } }) => {
          const [, claims = ""] = authorization.split(".");
          const { exp = Infinity }: { exp?: number } = claims ? JSON.parse(atob(claims)) : {};
          return exp * 1000 < Date.now() ? refused : undefined;
        },
    ],
    [
      "that are each refused after some requests",
      1,
      () => {
        const uses = new Map<string, number>();
        return ({ headers: { authorization = "" } }) => {
          const used = uses.get(authorization) ?? 0;
          uses.set(authorization, used + 1);
          return authorization !== "" && used >= 10 ? refused : undefined;
        };
      },
    ],
  ])("makes the image with those %s", async (_, slowness, answering) => {
    refused.headers["www-authenticate"] = challenge;
    const before = registry.tokenRequests.length;
    proxy.begin({ answer: answering(), slowness });
    const auth = registry.registryAuth().replace(registry.host, proxy.host);
    const name = `app/${before}`;
    const outcome = await timed(
      app.runner.run("exporter", [...app.exportArgs, `${proxy.host}/${name}`], { CNB_REGISTRY_AUTH: auth }),
    );
    expect(outcome.code, outcome.stdout).toBe(0);
    expect(registry.tokenRequests.length - before).toBeGreaterThan(2);
    const stored = proxy.requests.filter(({ method, status }) => method === "PUT" && status === 201);
    expect(new Set(stored.map(({ path }) => path.replace(/.*digest=/, ""))).size).toBe(stored.length);
    const seen = await inspectImage(`docker://${registry.host}/${name}`, registry);
    expect(outcome.stdout).toContain(seen.digest);
    await copyImage(`docker://${registry.host}/${name}`, `oci:${join(dir, `copy-${before}`)}`, { from: registry });
    for (const { authorization = "Bearer" } of proxy.requests) expect(authorization).toMatch(/^Bearer/);
  });
});

function kindOf({ method, url = "" }: IncomingMessage): string {
  return `${method} ${url.replace(/\?.*|sha256:.*|[0-9a-f-]{36}|\/app\/\d+/g, "")}`;
}
