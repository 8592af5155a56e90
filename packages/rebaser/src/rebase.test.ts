import { readFile } from "node:fs/promises";
import {
  encodeConfig,
  type Image,
  type ImageConfig,
  type ImageDraft,
  type ImageStore,
  type Layer,
  type Manifest,
  parseConfig,
  type SavedImage,
} from "@lifecycle/image";
import { ConsoleLogger } from "@lifecycle/phase";
import { ApiVersion, parseRebaseMetadataLabel, type RebaseMetadata } from "@lifecycle/spec-types";
import { beforeEach, describe, expect, it } from "vitest";
import { findRunImage, type RebaseOptions, rebase } from "./rebase.ts";

// What the Go lifecycle exported on a run image at a Platform API, and what its rebaser made of it.
const fixture = (name: string) => readFile(new URL(`../fixtures/reference/${name}.json`, import.meta.url));
const jsonFixture = async (name: string) => JSON.parse((await fixture(name)).toString());

const METADATA = "io.buildpacks.lifecycle.metadata";
const APP = "127.0.0.1:5000/app:1";
const RUN_IMAGE = "127.0.0.1:5000/base:run";
const MIRROR = "mirror.example.com/base:run";

type Labels = Record<string, string | undefined>;

async function* noBytes(): AsyncGenerator<Uint8Array> {}

/** An image with the config and manifest of a fixture, but for what is changed. */
async function imageOf(name: string, of: string, labels: Labels = {}, changes: object = {}): Promise<Image> {
  const original = parseConfig(await fixture(`${of}-config`), name);
  const newLabels = JSON.parse(JSON.stringify({ ...original.config.Labels, ...labels }));
  const config: ImageConfig = { ...original, config: { ...original.config, Labels: newLabels }, ...changes };
  const manifest: Manifest = await jsonFixture(`${of}-manifest`);
  const layers = config.rootfs.diff_ids.map((diffId, index): Layer => {
    const descriptor = manifest.layers[index];
    return { diffId, ...(descriptor && { descriptor }), compressed: noBytes, uncompressed: noBytes };
  });
  const { os, architecture, variant } = config;
  return {
    name,
    identifier: "127.0.0.1:5000/base@sha256:30935d6d9051f9223da42c0de819336380bcd3a72ccebb1a32ab947b824da5fe",
    config,
    manifest,
    platform: { os, architecture, ...(variant && { variant }) },
    labels: new Map(Object.entries(newLabels)),
    env: config.config.Env ?? [],
    layers,
    topLayer: layers.at(-1)?.diffId,
  };
}

/** Keeps images as they are, and what is to be saved. */
class Shelf implements ImageStore {
  readonly images = new Map<string, Image>();
  readonly failures = new Map<string, Error>();
  draft: ImageDraft | undefined;
  names: readonly string[] = [];

  put(image: Image): void {
    this.images.set(image.name, image);
  }

  async open(name: string): Promise<Image | undefined> {
    return this.images.get(name);
  }

  async checkRead(): Promise<void> {}

  async checkWrite(): Promise<void> {}

  async save(draft: ImageDraft, names: readonly [string, ...string[]]): Promise<SavedImage> {
    Object.assign(this, { draft, names });
    const digest = draft.topLayer ?? "sha256:";
    return { identifier: names[0], shortId: "id", report: { digest, manifestSize: 7 }, failures: this.failures };
  }
}

let images: Shelf;
let log: string;

beforeEach(async () => {
  images = new Shelf();
  log = "";
  images.put(await imageOf(APP, "app-0.13"));
  images.put(await imageOf(RUN_IMAGE, "run"));
});

type Changes = Partial<Omit<RebaseOptions, "platformApi">> & { api?: string };

function rebaseWith({ api = "0.13", ...changes }: Changes = {}) {
  const logger = new ConsoleLogger({ level: "info", color: false }, (text) => {
    log += text;
  });
  const names = { previousImage: APP, runImage: RUN_IMAGE, outputImage: APP, tags: [] };
  return rebase({ platformApi: ApiVersion.parse(api), logger, images, ...names, forceRebase: false, ...changes });
}

function savedMetadata(): RebaseMetadata {
  return parseRebaseMetadataLabel(images.draft?.labels.get(METADATA) ?? "");
}

describe("a rebased image", () => {
  it.each(["0.11", "0.13"])("has the bytes that the Go lifecycle gives it with Platform API %s", async (api) => {
    images.put(await imageOf(APP, `app-${api}`));
    await rebaseWith({ api });
    const config = encodeConfig(images.draft?.config() ?? (await jsonFixture("run-config")));
    expect(Buffer.from(config).toString()).toBe((await fixture(`rebased-${api}-config`)).toString());
    const expected: Manifest = await jsonFixture(`rebased-${api}-manifest`);
    const descriptors = images.draft?.layers.map(({ descriptor }) => descriptor);
    expect(descriptors).toEqual(expected.layers);
    expect(images.draft?.manifest(expected.config, expected.layers)).toEqual(expected);
  });

  it("is stored under all its names, which the report tells", async () => {
    const report = await rebaseWith({ outputImage: "out:1", tags: ["out:2"] });
    expect(images.names).toEqual(["out:1", "out:2"]);
    expect(report).toEqual({ image: { tags: ["out:1", "out:2"], digest: images.draft?.topLayer, manifestSize: 7 } });
    expect(log).toBe("Saving out:1...\n*** Images (id):\n      out:1\n      out:2\n");
  });

  it("that cannot get one of its names fails the phase", async () => {
    images.failures.set("out:2", new Error("denied"));
    await expect(rebaseWith({ outputImage: "out:1", tags: ["out:2"] })).rejects.toMatchObject({
      message: "failed to rebase: failed to write image to the following tags: [out:2: denied]",
      exitCode: 72,
    });
  });

  it("keeps what is recorded of its app layer, even by lifecycles that knew one at most", async () => {
    const label = images.images.get(APP)?.labels.get(METADATA) ?? "";
    images.put(await imageOf(APP, "app-0.13", { [METADATA]: label.replace(/"app":\[(.*?)\]/, '"app":$1') }));
    await rebaseWith();
    expect(savedMetadata().app).toEqual({ sha: expect.stringMatching(/^sha256:/) });
  });
});

describe("a run image", () => {
  const other = "127.0.0.1:5000/other:run";
  beforeEach(async () => {
    images.put(await imageOf(other, "run"));
    images.put(await imageOf(MIRROR, "run"));
  });

  it("that is a mirror of the known one leaves the names of both as they are", async () => {
    await rebaseWith({ runImage: MIRROR });
    expect(savedMetadata()).toMatchObject({
      runImage: { image: RUN_IMAGE, mirrors: [MIRROR] },
      stack: { runImage: { image: RUN_IMAGE, mirrors: [MIRROR] } },
    });
  });

  it("that the app image does not know is refused", async () => {
    await expect(rebaseWith({ runImage: other })).rejects.toMatchObject({
      message: expect.stringMatching(
        /^failed to rebase: rebase app image: new base image '127\.0\.0\.1:5000\/other:run' not found in existing run image metadata: {"topLayer":"sha256:\w+","reference":"127\.0\.0\.1:5000\/base@sha256:\w+","image":"127\.0\.0\.1:5000\/base:run","mirrors":\["mirror\.example\.com\/base:run"\]}; please provide -force to override$/,
      ),
      exitCode: 72,
    });
    expect(images.draft).toBeUndefined();
  });

  it("that the app image does not know becomes the one it knows when forced", async () => {
    await rebaseWith({ runImage: other, forceRebase: true });
    expect(log).toContain("Warning: rebase app image: new base image '127.0.0.1:5000/other:run' not found in existing");
    const { runImage, stack } = savedMetadata();
    expect(Object.keys(runImage)).toEqual(["topLayer", "reference", "image"]);
    expect({ image: runImage.image, stack }).toEqual({ image: other, stack: { runImage: { image: other } } });
  });

  it("may be any before Platform API 0.12", async () => {
    await rebaseWith({ runImage: other, api: "0.11" });
    expect(savedMetadata()).toMatchObject({
      runImage: { image: RUN_IMAGE },
      stack: { runImage: { image: RUN_IMAGE } },
    });
  });

  it("that is known by stack metadata alone is known", async () => {
    images.put(await imageOf(APP, "app-0.11"));
    await rebaseWith();
    await expect(rebaseWith({ runImage: other })).rejects.toThrow(
      `existing run image metadata: {"image":"${RUN_IMAGE}","mirrors":["${MIRROR}"]}; please`,
    );
  });

  it("can replace only the one that the app image stands on", async () => {
    images.put(await imageOf(APP, "run"));
    await expect(rebaseWith()).rejects.toMatchObject({
      message: "failed to rebase: rebase app image: could not find base layer in image",
      exitCode: 72,
    });
  });

  it.each([
    ["is not there", "missing", "image 'missing' not found"],
    ["has no layers", "empty", "image 'empty' has no layers"],
  ])("that %s ends with a code of its own", async (_, runImage, reason) => {
    images.put(await imageOf("empty", "run", {}, { rootfs: { type: "layers", diff_ids: [] } }));
    await expect(rebaseWith({ runImage })).rejects.toMatchObject({
      message: `failed to access run image: ${reason}`,
      exitCode: 1,
    });
  });
});

describe("an app image", () => {
  it("must be there", async () => {
    await expect(rebaseWith({ previousImage: "missing" })).rejects.toMatchObject({
      message: "failed to set app image: failed to access image to rebase: image 'missing' not found",
      exitCode: 72,
    });
  });

  it("must have metadata that can be read", async () => {
    images.put(await imageOf(APP, "app-0.13", { [METADATA]: "{" }));
    await expect(rebaseWith()).rejects.toMatchObject({
      message: expect.stringContaining("failed to set app image: io.buildpacks.lifecycle.metadata: not JSON"),
      exitCode: 72,
    });
  });
});

describe("an app image of Platform API 0.12 or later", () => {
  const debian = '"distro":{"name":"debian","version":"12"}';
  const amd64 = `{"id":"i1","os":"linux","arch":"amd64",${debian}}`;

  it.each<[string, { app?: Labels; appChanges?: object; labels?: Labels; changes?: object }, string]>([
    [
      "says that it is not rebasable",
      { app: { "io.buildpacks.rebasable": "false" } },
      "app image is not marked as rebasable",
    ],
    [
      "has another architecture",
      { changes: { architecture: "arm64", variant: "v8" } },
      `unable to satisfy target os/arch constraints; new run image: {"id":"i2","os":"linux","arch":"arm64","arch-variant":"v8",${debian}}, old run image: ${amd64}`,
    ],
    ["has another operating system", { changes: { os: "windows" } }, "unable to satisfy target os/arch constraints"],
    [
      "has another variant",
      { appChanges: { variant: "v2" }, changes: { variant: "v3" } },
      "unable to satisfy target os/arch constraints",
    ],
    [
      "has another version of its distribution",
      { labels: { "io.buildpacks.base.distro.version": "13" } },
      "unable to satisfy target os/arch constraints",
    ],
    [
      "names no distribution",
      { app: { "io.buildpacks.base.distro.name": undefined, "io.buildpacks.base.distro.version": undefined } },
      "unable to satisfy target os/arch constraints",
    ],
  ])("that %s is rebased only when forced", async (_, { app, appChanges, labels, changes }, problem) => {
    images.put(await imageOf(APP, "app-0.13", app, appChanges));
    images.put(await imageOf(RUN_IMAGE, "run", labels, changes));
    // what the app image was built with decides, not what it is rebased with
    for (const api of ["0.9", "0.13"]) {
      await expect(rebaseWith({ api })).rejects.toMatchObject({
        message: expect.stringMatching(/^failed to rebase: .*; please provide -force to override$/),
        exitCode: 72,
      });
      await expect(rebaseWith({ api })).rejects.toThrow(problem);
    }
    expect(images.draft).toBeUndefined();
    await rebaseWith({ forceRebase: true });
    expect(log).toContain(`Warning: ${problem}`);
    expect(images.draft?.config()).toMatchObject({ os: "linux", ...changes });
  });

  it.each<[string, Labels, object]>([
    ["a variant where the app image has none", {}, { variant: "v2" }],
    [
      "no distribution",
      { "io.buildpacks.base.distro.name": undefined, "io.buildpacks.base.distro.version": undefined },
      {},
    ],
    ["no version of its distribution", { "io.buildpacks.base.distro.version": undefined }, {}],
    ["another stack", { "io.buildpacks.stack.id": "other", "io.buildpacks.stack.mixins": undefined }, {}],
  ])("takes a run image with %s", async (_, labels, changes) => {
    images.put(await imageOf(RUN_IMAGE, "run", labels, changes));
    await rebaseWith();
    expect(log).not.toContain("Warning");
    expect(images.draft?.config()).toMatchObject(changes);
  });
});

describe("an app image of an earlier Platform API", () => {
  beforeEach(async () => images.put(await imageOf(APP, "app-0.11")));

  it.each<[string, Labels, Labels, string]>([
    ["the app image has no stack", { "io.buildpacks.stack.id": undefined }, {}, "stack not defined on app image"],
    ["the run image has no stack", {}, { "io.buildpacks.stack.id": "" }, "stack not defined on new base image"],
    [
      "the stacks differ",
      {},
      { "io.buildpacks.stack.id": "other" },
      "incompatible stack: 'other' is not compatible with 'some.stack'",
    ],
    [
      "mixins are missing",
      { "io.buildpacks.stack.mixins": '["run:z","q","a","build:b"]' },
      {},
      "missing required mixin(s): q, z",
    ],
    [
      "mixins cannot be read",
      {},
      { "io.buildpacks.stack.mixins": "x" },
      "get run image mixins: io.buildpacks.stack.mixins",
    ],
  ])("is not rebased, forced or not, when %s", async (_, app, labels, problem) => {
    images.put(await imageOf(APP, "app-0.11", app));
    images.put(await imageOf(RUN_IMAGE, "run", labels));
    for (const forceRebase of [false, true]) {
      const rebased = rebaseWith({ forceRebase });
      await expect(rebased).rejects.toMatchObject({ exitCode: 72 });
      await expect(rebased).rejects.toThrow(`failed to rebase: ${problem}`);
    }
  });

  it("is not asked for its target", async () => {
    images.put(await imageOf(RUN_IMAGE, "run", {}, { architecture: "arm64" }));
    await rebaseWith({ api: "0.11" });
    expect(images.draft?.config().architecture).toBe("arm64");
  });
});

describe("the run image that is not given", () => {
  const find = (readable: readonly string[], api = "0.13") =>
    findRunImage({ platformApi: ApiVersion.parse(api), images, previousImage: APP }, async (image) =>
      readable.includes(image),
    );

  it("is the known one, or a mirror of it that can be read", async () => {
    expect(await find([MIRROR, RUN_IMAGE])).toBe(RUN_IMAGE);
    expect(await find([MIRROR])).toBe(MIRROR);
    await expect(find([])).rejects.toMatchObject({
      message: "failed to set app image: failed to find accessible run image",
      exitCode: 72,
    });
  });

  it("is that of the stack before Platform API 0.12, and where there is no other", async () => {
    const label = images.images.get(APP)?.labels.get(METADATA) ?? "";
    const of = async (metadata: string) => images.put(await imageOf(APP, "app-0.13", { [METADATA]: metadata }));
    await of(label.replace(/("stack":.*?"image":)"[^"]*"/, '$1"of-stack"'));
    expect(await find([RUN_IMAGE, "of-stack"], "0.11")).toBe("of-stack");
    expect(await find([RUN_IMAGE, "of-stack"])).toBe(RUN_IMAGE);
    await of(label.replace(/"runImage":{.*?},"stack"/, '"runImage":{},"stack"'));
    expect(await find([RUN_IMAGE])).toBe(RUN_IMAGE);
  });

  it("must be given when the app image knows none", async () => {
    images.put(await imageOf(APP, "app-0.13", { [METADATA]: undefined }));
    await expect(find([RUN_IMAGE])).rejects.toMatchObject({
      message:
        "failed to set app image: failed to parse arguments: -run-image is required when there is no run image metadata available",
      exitCode: 72,
    });
  });
});
