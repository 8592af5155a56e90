import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { gzipSync } from "node:zlib";
import { Header } from "tar/header";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { readArchive } from "./daemon/archive-reader.ts";
import { DaemonStore } from "./daemon-store.ts";
import { digestHex, digestOf } from "./digest.ts";
import { ImageDraft } from "./draft.ts";
import type { Layer } from "./layer.ts";
import { readLayers } from "./read-layers.ts";

/**
 * Real daemons are in the black-box tests. What is here stands for those that cannot be had there: Docker with
 * containerd's image store, which names blobs by digests of compressed bytes, and daemons that answer what they should
 * not.
 */
class FakeDaemon {
  /** `GET /path` to what is answered: text as it is, bytes as they are, anything else as JSON. */
  answers: Record<string, unknown> = { "GET /version": { ApiVersion: "1.41" } };
  /** Each archive that was loaded: its files by name. */
  readonly loaded: Map<string, string>[] = [];
  /** What the loads are answered with, in turn; the last one again and again. */
  loadAnswers: [status: number, body: string][] = [[200, '{"stream":"Loaded image"}\n']];
  readonly requests: string[] = [];
  readonly #server: Server = createServer((request, response) => void this.#answer(request, response));

  async start(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    return `tcp://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const name = `${request.method} ${request.url}`;
    this.requests.push(name);
    if (name.startsWith("POST /images/load?")) {
      const files = new Map<string, string>();
      try {
        for await (const { name: file, contents } of readArchive(request, "load archive")) {
          let text = "";
          for await (const chunk of contents) text += Buffer.from(chunk).toString();
          files.set(file, text);
        }
      } catch {
        // The client gave up.
        return;
      }
      this.loaded.push(files);
      const [status, body] = (this.loadAnswers.length > 1 ? this.loadAnswers.shift() : this.loadAnswers[0]) ?? [
        500,
        "",
      ];
      response.writeHead(status).end(body);
    } else if (name.startsWith("POST /images/")) response.writeHead(201).end();
    else if (name in this.answers) {
      const answer = this.answers[name];
      response.end(typeof answer === "string" || answer instanceof Uint8Array ? answer : JSON.stringify(answer));
    } else response.writeHead(404).end('{"message":"no such image"}');
  }
}

let daemon: FakeDaemon;
let store: DaemonStore;

beforeEach(async () => {
  daemon = new FakeDaemon();
  store = await DaemonStore.open({ env: { DOCKER_HOST: await daemon.start() } });
});

afterEach(async () => {
  store.close();
  await daemon.stop();
});

const baseLayers = ["base one", "base two"];
const baseId = digestOf("the base image");
const appId = digestOf("the app image");

/** Makes the daemon have an image. */
function have(name: string, id: string, layers: readonly string[], config = {}): void {
  const inspected = {
    Id: id,
    Architecture: "amd64",
    Os: "linux",
    RootFS: { Type: "layers", Layers: layers.map(digestOf) },
    Config: { Env: ["A=b"], Labels: null, ...config },
  };
  daemon.answers[`GET /images/${name}/json`] = inspected;
  daemon.answers[`GET /images/${id}/history`] = layers.map(() => ({ Created: -62135596800, CreatedBy: "someone" }));
}

function classic(): void {
  daemon.answers["GET /version"] = { ApiVersion: "1.41", Components: [{ Name: "Engine" }] };
  daemon.answers["GET /info"] = { DriverStatus: [["Backing Filesystem", "extfs"]] };
}

function newLayer(content: string): Layer {
  const stream = async function* () {
    yield Buffer.from(content);
  };
  return { diffId: digestOf(content), compressed: stream, uncompressed: stream };
}

/** An archive with these files, uncompressed. */
function archive(files: Record<string, Uint8Array>): Uint8Array {
  const blocks = Object.entries(files).flatMap(([path, bytes]) => {
    const block = Buffer.alloc(512);
    new Header({ path, size: bytes.length, type: "File", mode: 0o644 }).encode(block);
    return [block, bytes, Buffer.alloc(-bytes.length & 511)];
  });
  return Buffer.concat([...blocks, Buffer.alloc(1024)]);
}

async function draftOn(baseName: string, ...layers: Layer[]): Promise<ImageDraft> {
  const base = await store.open(baseName);
  if (base === undefined) throw new Error(`no image ${baseName}`);
  const draft = new ImageDraft({ base });
  for (const layer of layers) draft.addLayer(layer);
  return draft;
}

/** The contents of the layers that the loaded manifest lists; an empty text stands for a layer that is left out. */
function layersOf(loaded: Map<string, string> | undefined): (string | undefined)[] {
  const [image]: { Layers: string[] }[] = JSON.parse(loaded?.get("manifest.json") ?? "[]");
  return image?.Layers.map((name) => loaded?.get(name)) ?? [];
}

describe("a daemon", () => {
  it("is told nothing of layers that it has below the same layers", async () => {
    classic();
    have("run", baseId, baseLayers);
    have("index.docker.io/library/app:latest", appId, []);
    const saved = await store.save(await draftOn("run", newLayer("app")), ["app"]);
    expect(layersOf(daemon.loaded[0])).toEqual(["", "", "app"]);
    expect(saved).toMatchObject({ shortId: digestHex(appId).slice(0, 12), report: { imageId: digestHex(appId) } });
    expect(daemon.requests).toContain(`POST /images/${appId}/tag?repo=index.docker.io%2Flibrary%2Fapp&tag=latest`);
  });

  it("with containerd's image store gets all layers, also those that it gives out compressed", async () => {
    daemon.answers["GET /version"] = { ApiVersion: "1.41", Components: [{ Name: "Engine" }] };
    daemon.answers["GET /info"] = { DriverStatus: [["driver-type", "io.containerd.snapshotter.v1"]] };
    have("run", baseId, baseLayers);
    have("index.docker.io/library/app:latest", appId, []);
    const blobs = baseLayers.map((content) => gzipSync(content));
    const files = Object.fromEntries(blobs.map((blob) => [`blobs/sha256/${digestHex(digestOf(blob))}`, blob]));
    const other = { "index.json": Buffer.from("{}"), [`blobs/sha256/${"0".repeat(64)}`]: Buffer.from("a manifest") };
    daemon.answers[`GET /images/${digestHex(baseId)}/get`] = archive({ ...other, ...files });
    await store.save(await draftOn("run", newLayer("app")), ["app"]);
    expect(layersOf(daemon.loaded[0])).toEqual(["base one", "base two", "app"]);
  });

  it.each<[string, [number, string]]>([
    ["with an error in its answer", [200, '{"stream":"x"}\n{"errorDetail":{},"error":"invalid diffID for layer 0"}\n']],
    ["with a status", [500, '{"message":"some layer tarfiles are missing"}']],
  ])("that refuses an image without all of its layers, %s, gets all of them", async (_how, refusal) => {
    classic();
    daemon.loadAnswers = [refusal, [200, ""]];
    have("run", baseId, baseLayers);
    have("index.docker.io/library/app:latest", appId, []);
    const files = baseLayers.map((content) => [`${digestHex(digestOf(content))}.tar`, Buffer.from(content)]);
    daemon.answers[`GET /images/${digestHex(baseId)}/get`] = archive(Object.fromEntries(files));
    await store.save(await draftOn("run", newLayer("app")), ["app"]);
    expect(daemon.loaded.map(layersOf)).toEqual([
      ["", "", "app"],
      ["base one", "base two", "app"],
    ]);
  });

  it("that does not give out a layer, or another one, costs the image, and says so", async () => {
    classic();
    daemon.loadAnswers = [[500, "no"]];
    have("run", baseId, baseLayers);
    const draft = await draftOn("run", newLayer("app"));
    const path = `GET /images/${digestHex(baseId)}/get`;
    daemon.answers[path] = archive({ "0/layer.tar": Buffer.from("base one") });
    await expect(store.save(draft, ["app"])).rejects.toThrow(/layer with diff ID sha256:.*did not give it out/);
    daemon.answers[path] = archive({ [`${digestHex(digestOf("base one"))}.tar`]: Buffer.from("other") });
    await expect(store.save(draft, ["app"])).rejects.toThrow(/expected digest/);
    daemon.answers[path] = archive({ "0/layer.tar": Buffer.from("base one") }).subarray(0, 600);
    await expect(store.save(draft, ["app"])).rejects.toThrow(/the archive ends too early/);
  });

  it("that refuses the image for good is quoted under every name", async () => {
    classic();
    daemon.loadAnswers = [[500, '{"message":"no space left on device"}']];
    have("run", baseId, []);
    const draft = await draftOn("run", newLayer("app"));
    const reason = "loading image: error response from daemon: no space left on device";
    await expect(store.save(draft, ["app", "app:2"])).rejects.toThrow(
      `failed to write image to the following tags: [app: ${reason}],[app:2: ${reason}]`,
    );
    expect(daemon.loaded).toHaveLength(1);
  });

  it("tells of an image what images keep", async () => {
    const health = { Test: ["CMD", "true"], Interval: 5, StartInterval: 1 };
    have("run", baseId, baseLayers, { Hostname: "x", User: "1000", Healthcheck: health, Volumes: { "/data": {} } });
    const image = await store.open("run");
    expect(image).toMatchObject({ identifier: digestHex(baseId), imageId: digestHex(baseId), env: ["A=b"] });
    expect(JSON.parse(JSON.stringify(image?.config.config))).toEqual({
      Env: ["A=b"],
      User: "1000",
      Healthcheck: { Test: ["CMD", "true"], Interval: 5 },
      Volumes: { "/data": {} },
    });
    expect(await store.open("other")).toBeUndefined();
    await expect(store.open("../containers")).rejects.toThrow("could not parse reference");
  });

  it.each<[string, string[], number]>([
    ["in their order in one go", ["one", "two", "three"], 1],
    ["in another order, some once more", ["two", "one", "three"], 3],
  ])("gives out all layers of an image %s", async (_how, order, times) => {
    have("run", baseId, ["one", "one", "two", "three"]);
    const files = order.map((content) => [`${digestHex(digestOf(content))}.tar`, Buffer.from(content)]);
    const path = `GET /images/${digestHex(baseId)}/get`;
    daemon.answers[path] = archive(Object.fromEntries(files));
    const image = await store.open("run");
    const found: string[] = [];
    for await (const contents of image === undefined ? [] : readLayers(image)) {
      const chunks: Uint8Array[] = [];
      for await (const chunk of contents) chunks.push(chunk);
      found.push(Buffer.concat(chunks).toString());
    }
    expect(found).toEqual(["one", "two", "three"]);
    expect(daemon.requests.filter((request) => request === path)).toHaveLength(times);
  });
});
