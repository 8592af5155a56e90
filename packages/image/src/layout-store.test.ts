import { randomBytes, randomUUID } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  digestOf,
  type Image,
  ImageDraft,
  type Layer,
  LayoutStore,
  mediaTypes,
  type TransferObserver,
} from "./index.ts";
import { blobPath } from "./layout-files.ts";

let dir: string;
let store: LayoutStore;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "layouts-"));
  store = new LayoutStore({ layoutDir: dir, platform: { os: "linux", architecture: "amd64" } });
});
afterEach(() => rm(dir, { recursive: true }));

/** A layer that was never stored; counts how often it is compressed. */
function newLayer(text: string, counter = { compressions: 0 }): Layer {
  const tar = Buffer.from(text);
  return {
    diffId: digestOf(tar),
    async *uncompressed() {
      yield tar;
    },
    async *compressed() {
      counter.compressions++;
      yield gzipSync(tar);
    },
  };
}

const platform = { os: "linux", architecture: "amd64" };

function draftOf(...layers: Layer[]): ImageDraft {
  const draft = new ImageDraft({ platform });
  for (const layer of layers) draft.addLayer(layer);
  return draft;
}

async function opened(name: string): Promise<Image> {
  const image = await store.open(name);
  if (image === undefined) throw new Error(`${name} is not there`);
  return image;
}

async function textOf(layer: Layer | undefined): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of layer?.uncompressed() ?? []) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

const filesIn = async (path: string) =>
  (await readdir(path, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map(({ name }) => name);

test("an image that was saved is opened under its name, its path and its identifier", async () => {
  const draft = draftOf(newLayer("one"), newLayer("two"));
  draft.setLabel("constructor", "label");
  draft.setEnv("A", "1");
  draft.setEnv("B", "2");
  draft.setEnv("A", "3");
  const saved = await store.save(draft, ["some/app:v1"]);
  const path = join(dir, "index.docker.io/some/app/v1");
  expect(saved.identifier).toMatch(new RegExp(`^${path}@sha256:[0-9a-f]{64}$`));
  expect(saved.shortId).toBe(saved.identifier);
  expect(saved.report.digest).toBeUndefined();
  for (const name of ["some/app:v1", path, saved.identifier]) {
    const image = await opened(name);
    expect(image.identifier).toBe(saved.identifier);
    expect(image.labels).toEqual(new Map([["constructor", "label"]]));
    expect(image.env).toEqual(["A=3", "B=2"]);
    expect(image.platform).toEqual(platform);
    expect(await Promise.all(image.layers.map(textOf))).toEqual(["one", "two"]);
  }
  expect((await filesIn(path)).filter((name) => name.endsWith(".tmp"))).toEqual([]);
  expect(JSON.parse(await readFile(join(path, "index.json"), "utf8")).manifests[0].annotations).toEqual({
    "org.opencontainers.image.ref.name": "v1",
  });
});

test("an image that is not there is undefined", async () => {
  expect(await store.open("no/such")).toBeUndefined();
  expect(await store.open(`no/such@sha256:${"0".repeat(64)}`)).toBeUndefined();
});

test("a name cannot lead out of the layout directory", async () => {
  await expect(store.open("host.io/../../../etc/passwd")).rejects.toThrow(/could not parse reference/);
});

test("the same draft gives the same image, and a new layer is compressed once for two names", async () => {
  const counter = { compressions: 0 };
  const names = ["a/b:1", "a/b:2"] as const;
  const saved = await store.save(draftOf(newLayer("one", counter)), [...names]);
  expect(counter.compressions).toBe(1);
  expect(saved.failures.size).toBe(0);
  const digests = await Promise.all(names.map(async (name) => (await opened(name)).identifier.split("@")[1]));
  expect(new Set(digests).size).toBe(1);
  expect((await store.save(draftOf(newLayer("one")), ["a/b:1"])).identifier).toBe(saved.identifier);
});

test("an image on a base keeps the base's layers, config and annotations", async () => {
  const layout = join(dir, "base");
  await store.save(draftOf(newLayer("base")), ["base/image"]);
  const base = await opened("base/image");
  const config = { ...base.config, config: { ...base.config.config, User: "1000", Healthcheck: { Test: ["NONE"] } } };
  const annotated: Image = {
    ...imageParts(base),
    config,
    manifest: base.manifest && { ...base.manifest, annotations: { by: "someone" } },
  };
  const draft = new ImageDraft({ base: annotated, keepHistory: true, createdAt: new Date(1_700_000_000_000) });
  draft.addLayer(newLayer("app"), "the application");
  draft.setEntrypoint(["/cnb/process/web"]);
  draft.setCmd([]);
  await store.save(draft, [layout]);
  const image = await opened(layout);
  expect(image.manifest?.annotations).toEqual({ by: "someone" });
  expect(image.config.config).toEqual({
    User: "1000",
    Healthcheck: { Test: ["NONE"] },
    Entrypoint: ["/cnb/process/web"],
  });
  expect(image.config.created).toBe("2023-11-14T22:13:20Z");
  expect(image.config.history).toEqual([
    { created: "2023-11-14T22:13:20Z", empty_layer: false },
    { created: "2023-11-14T22:13:20Z", created_by: "the application", empty_layer: false },
  ]);
  expect(await Promise.all(image.layers.map(textOf))).toEqual(["base", "app"]);
});

const imageParts = ({ name, identifier, platform, labels, env, layers, topLayer }: Image) => ({
  ...{ name, identifier, platform, labels, env, layers, topLayer },
});

test("layers of the previous image are reused without compressing them again", async () => {
  await store.save(draftOf(newLayer("one"), newLayer("two")), ["app"]);
  const previousImage = await opened("app");
  const draft = new ImageDraft({ platform, previousImage });
  const two = digestOf("two");
  expect(draft.canReuse(two)).toBe(true);
  draft.reuseLayer(two);
  expect(() => draft.reuseLayer(digestOf("three"))).toThrow(/previous image has no layer with diff ID sha256:/);
  await store.save(draft, ["other"]);
  const image = await opened("other");
  expect(image.layers.map(({ descriptor }) => descriptor)).toEqual([previousImage.layers[1]?.descriptor]);
  expect(await textOf(image.layers[0])).toBe("two");
});

test("Docker layers get OCI names in an OCI manifest", async () => {
  await store.save(draftOf(newLayer("one")), ["app"]);
  const stored = (await opened("app")).layers[0];
  if (stored?.descriptor === undefined) throw new Error("no descriptor");
  const docker: Layer = {
    diffId: stored.diffId,
    descriptor: { ...stored.descriptor, mediaType: mediaTypes.dockerLayerGzip },
    compressed: () => stored.compressed(),
    uncompressed: () => stored.uncompressed(),
  };
  await store.save(draftOf(docker), ["other"]);
  expect((await opened("other")).layers[0]?.descriptor?.mediaType).toBe(mediaTypes.ociLayerGzip);
});

test("what a sparse layout does not hold, an image on it does not hold either", async () => {
  await store.save(draftOf(newLayer("base")), ["base"]);
  const base = await opened("base");
  await rm(
    blobPath(join(dir, "index.docker.io/library/base/latest"), base.layers[0]?.descriptor?.digest ?? digestOf("")),
  );
  const draft = new ImageDraft({ base });
  draft.addLayer(newLayer("app"));
  await store.save(draft, ["app"]);
  const image = await opened("app");
  expect(await textOf(image.layers[1])).toBe("app");
  await expect(textOf(image.layers[0])).rejects.toThrow(/no such file/);
});

test("a damaged blob is noticed", async () => {
  await store.save(draftOf(newLayer("one")), [join(dir, "app")]);
  const image = await opened(join(dir, "app"));
  const layer = image.layers[0];
  const path = blobPath(join(dir, "app"), layer?.descriptor?.digest ?? digestOf(""));
  const blob = await readFile(path);
  blob[blob.length - 9] = (blob[blob.length - 9] ?? 0) ^ 1;
  await writeFile(path, blob);
  await expect(textOf(layer)).rejects.toMatchObject({ code: "corrupt" });
  await writeFile(path, blob.subarray(1));
  await expect(textOf(layer)).rejects.toThrow(/expected \d+ bytes/);
});

describe("a reused blob that was damaged since", () => {
  const content = randomBytes(1000).toString("hex");

  async function damaged(): Promise<Image> {
    await store.save(draftOf(newLayer(content)), ["app"]);
    const image = await opened("app");
    const path = blobPath(store.pathOf("app"), image.layers[0]?.descriptor?.digest ?? digestOf(""));
    const { size } = await stat(path);
    // Not in the same tick of the file system's clock.
    await sleep(20);
    await writeFile(path, Buffer.alloc(size));
    return image;
  }

  test("is written again, where the layer is at hand", async () => {
    const previousImage = await damaged();
    const draft = new ImageDraft({ platform, previousImage });
    draft.reuseLayer(digestOf(content), undefined, newLayer(content));
    await store.save(draft, ["app"]);
    const image = await opened("app");
    expect(image.identifier).toBe(previousImage.identifier);
    expect(await textOf(image.layers[0])).toBe(content);
  });

  test("is not stored again, where there is nothing else", async () => {
    const previousImage = await damaged();
    const draft = new ImageDraft({ platform, previousImage });
    draft.reuseLayer(digestOf(content));
    await expect(store.save(draft, ["app"])).rejects.toThrow(/blobs\/sha256\/.*: expected digest sha256:/);
  });

  test("comes from the image that it was copied from", async () => {
    const base = await damaged();
    await store.save(draftOf(newLayer(content)), ["base"]);
    const draft = new ImageDraft({ base: await opened("base") });
    await store.save(draft, ["app"]);
    expect(await textOf((await opened("app")).layers[0])).toBe(content);
    expect((await opened("app")).layers[0]?.descriptor).toEqual(base.layers[0]?.descriptor);
  });
});

test("a failed save leaves the old image as it was, and nothing else", async () => {
  await store.save(draftOf(newLayer("old")), ["app"]);
  const before = await filesIn(dir);
  const broken: Layer = {
    ...newLayer("broken"),
    async *compressed() {
      yield Buffer.alloc(100);
      throw new Error("cannot read /layers/x");
    },
  };
  await expect(store.save(draftOf(newLayer("new"), broken), ["app"])).rejects.toThrow("cannot read /layers/x");
  await expect(store.save(draftOf(broken), ["never/there"])).rejects.toThrow("cannot read /layers/x");
  expect(await filesIn(dir)).toEqual(before);
  expect(await readdir(join(dir, "index.docker.io"))).toEqual(["library"]);
  expect(await textOf((await opened("app")).layers[0])).toBe("old");
});

test("a name that cannot be written is reported, the others are written", async () => {
  await mkdir(join(dir, "host.io"));
  await writeFile(join(dir, "host.io/app"), "in the way");
  const saved = await store.save(draftOf(newLayer("one")), ["some/app", "host.io/app:1"]);
  expect([...saved.failures.keys()]).toEqual(["host.io/app:1"]);
  await expect(store.save(draftOf(newLayer("one")), ["host.io/app:1"])).rejects.toThrow(
    /^failed to write image to the following tags: \[host.io\/app:1: .*\]$/,
  );
  await expect(store.checkWrite("host.io/app:1")).rejects.toThrow(/not a directory/);
  await store.checkWrite("some/other");
  await store.checkRead("some/other");
});

test("of an index, the entry for the platform is opened", async () => {
  const arm = draftOf(newLayer("arm"));
  await store.save(arm, [join(dir, "multi")]);
  const armEntry = JSON.parse(await readFile(join(dir, "multi/index.json"), "utf8")).manifests[0];
  await store.save(draftOf(newLayer("amd")), [join(dir, "multi")]);
  const amdEntry = JSON.parse(await readFile(join(dir, "multi/index.json"), "utf8")).manifests[0];
  const index = (entries: object[]) =>
    writeFile(
      join(dir, "multi/index.json"),
      JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: entries }),
    );
  const armed = { ...armEntry, platform: { os: "linux", architecture: "arm64" } };
  await index([armed, { ...amdEntry, platform: { os: "linux", architecture: "amd64" } }]);
  expect(await textOf((await opened(join(dir, "multi"))).layers[0])).toBe("amd");
  await index([armed, { ...amdEntry, platform: { os: "windows", architecture: "amd64" } }]);
  expect(await store.open(join(dir, "multi"))).toBeUndefined();
});

test("blobs that the image no longer has are removed, and what a killed save left; nothing else", async () => {
  await store.save(draftOf(newLayer("old"), newLayer("kept")), ["app"]);
  const layout = join(dir, "index.docker.io/library/app/latest");
  const leftover = join(layout, `.${randomUUID()}.tmp`);
  const orphan = blobPath(layout, digestOf("of a save that was killed"));
  const foreign = [join(layout, "notes.txt"), join(layout, "blobs/sha256/README")];
  for (const path of [leftover, orphan, ...foreign]) await writeFile(path, "");
  const past = new Date(Date.now() - 5000);
  for (const name of await readdir(layout, { recursive: true })) await utimes(join(layout, name), past, past);
  const running = join(layout, `.${randomUUID()}.tmp`);
  await writeFile(running, "");
  await utimes(running, past, new Date(Date.now() + 5000));

  await store.save(draftOf(newLayer("kept"), newLayer("new")), ["app"]);
  const image = await opened("app");
  expect(await Promise.all(image.layers.map(textOf))).toEqual(["kept", "new"]);
  const blobs = [
    image.identifier.split("@sha256:")[1],
    ...[image.manifest?.config, ...(image.manifest?.layers ?? [])].map((descriptor) => descriptor?.digest.slice(7)),
  ];
  const left = [...blobs, basename(running), "README", "notes.txt", "index.json", "oci-layout"];
  expect((await filesIn(layout)).sort()).toEqual(left.sort());
});

test("a save that is given up leaves nothing and says why", async () => {
  const stop = new AbortController();
  const stopped = new LayoutStore({ layoutDir: dir, platform, signal: stop.signal });
  const reason = new Error("stopped by SIGTERM");
  const endless: Layer = {
    ...newLayer("endless"),
    async *compressed() {
      for (let chunks = 0; ; chunks++) {
        if (chunks === 3) stop.abort(reason);
        yield Buffer.alloc(1000);
      }
    },
  };
  await expect(stopped.save(draftOf(endless), ["app"])).rejects.toBe(reason);
  expect(await readdir(dir)).toEqual([]);
  await expect(stopped.save(draftOf(newLayer("one")), ["app"])).rejects.toBe(reason);
});

test("observers see what is written, and nothing of what is there already", async () => {
  const seen: string[] = [];
  const observer: TransferObserver = {
    begin: ({ direction, place, size }) => {
      let last = 0;
      return {
        moved: (bytes) => {
          last = bytes;
        },
        end: (done) => seen.push(`${direction} ${basename(place)} ${size} ${last} ${done}`),
      };
    },
  };
  const watched = new LayoutStore({ layoutDir: dir, platform, observer });
  await watched.save(draftOf(newLayer("one")), ["app:1"]);
  const previousImage = await opened("app:1");
  const size = previousImage.layers[0]?.descriptor?.size;
  const draft = new ImageDraft({ platform, previousImage });
  draft.reuseLayer(digestOf("one"));
  await watched.save(draft, ["app:1", "app:2"]);
  expect(seen).toEqual([`upload 1 undefined ${size} true`, `upload 2 ${size} ${size} true`]);
});
