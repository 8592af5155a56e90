import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { toText } from "./byte-path.ts";
import { LayerFactory } from "./layer-factory.ts";
import type { NewLayer } from "./new-layer.ts";
import { type ReadEntry, TarReader } from "./tar-reader.ts";

let directory: string;
const factory = () => new LayerFactory({ uid: 1234, gid: 4321 });

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "factory-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

function write(...paths: readonly string[]): void {
  for (const path of paths) {
    mkdirSync(dirname(join(directory, path)), { recursive: true });
    writeFileSync(join(directory, path), path);
  }
}

async function entriesOf(layer: NewLayer): Promise<ReadEntry[]> {
  const entries: ReadEntry[] = [];
  const reader = new TarReader({ begin: (entry) => entries.push(entry), contents: () => {}, end: () => {} });
  for await (const chunk of layer.uncompressed()) reader.write(chunk);
  reader.finish();
  return entries;
}

/** The names in a layer from `app` on. */
async function namesIn(layer: NewLayer): Promise<string[]> {
  const names = (await entriesOf(layer)).map(({ name }) => toText(name));
  return names.filter((name) => name.startsWith(`${directory}/app`)).map((name) => name.slice(directory.length + 1));
}

describe("application layers", () => {
  it("are one layer in the order of whole paths without slices", async () => {
    write("app/a/x", "app/a-b/y", "app/a.txt", "app/b");
    const layers = await factory().sliceLayers(join(directory, "app"), []);
    expect(layers.map(({ id, createdBy }) => [id, createdBy])).toEqual([["slice-1", "Application Layer"]]);
    const names = await Promise.all(layers.map(namesIn));
    expect(names).toEqual([["app", "app/a", "app/a-b", "app/a-b/y", "app/a.txt", "app/a/x", "app/b"]]);
  });

  it("follow slices: matches with all they hold and their parents, then the rest", async () => {
    write(
      "app/public/img/logo",
      "app/public/style",
      "app/src/main",
      "app/src/lib/util",
      "app/vendor/one/x",
      "app/README",
    );
    const slices = [
      { paths: ["public", "src/lib/*"] },
      { paths: ["vendor/*", "public/style", "no/match"] },
      { paths: [] },
    ];
    const layers = await factory().sliceLayers(join(directory, "app"), slices);
    expect(layers.map(({ createdBy }) => createdBy)).toEqual([
      "Application Slice: 1",
      "Application Slice: 2",
      "Application Slice: 3",
      "Application Slice: 4",
    ]);
    expect(await Promise.all(layers.map(namesIn))).toEqual([
      [
        "app",
        "app/public",
        "app/public/img",
        "app/public/img/logo",
        "app/public/style",
        "app/src",
        "app/src/lib",
        "app/src/lib/util",
      ],
      ["app", "app/vendor", "app/vendor/one", "app/vendor/one/x"],
      [],
      ["app", "app/README", "app/src", "app/src/main"],
    ]);
    expect(layers[2]?.diffId).toBe("sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef");
  });

  it("have an empty last layer when slices take everything", async () => {
    write("app/a", "app/b/c");
    const layers = await factory().sliceLayers(join(directory, "app"), [{ paths: ["*"] }]);
    expect(await Promise.all(layers.map(namesIn))).toEqual([["app", "app/a", "app/b", "app/b/c"], []]);
  });

  it("are not made with a malformed pattern", async () => {
    write("app/a");
    await expect(factory().sliceLayers(join(directory, "app"), [{ paths: ["[a"] }])).rejects.toThrow(
      "failed to check if 'a' matches '[a': syntax error in pattern",
    );
  });
});

describe("layers of the lifecycle", () => {
  it("hold the launcher, owned by root and executable, wherever it lies", async () => {
    writeFileSync(join(directory, "real"), "launcher");
    symlinkSync("real", join(directory, "launcher"));
    const layer = await factory().launcherLayer(join(directory, "launcher"));
    expect([layer.id, layer.createdBy]).toEqual(["buildpacksio/lifecycle:launcher", "Buildpacks Application Launcher"]);
    expect(await entriesOf(layer)).toMatchObject([
      { name: "/cnb", type: "5", mode: 0o755 },
      { name: "/cnb/lifecycle", type: "5", mode: 0o755 },
      { name: "/cnb/lifecycle/launcher", type: "0", mode: 0o755, size: 8 },
    ]);
    expect(layer.diffId).toBe("sha256:3ef01a62276c42d9781edd25fceee5c2620c83803a3b03191f2524841936c920");
    const none = join(directory, "none");
    await expect(factory().launcherLayer(none)).rejects.toThrow(`failed to stat launcher at path '${none}': ENOENT`);
  });

  it("link process types to the launcher in the order they have", async () => {
    const layer = await factory().processTypesLayer(["web", "worker", "a.b"]);
    expect(layer.createdBy).toBe("Buildpacks Process Types");
    expect(await entriesOf(layer)).toMatchObject([
      { name: "/cnb", type: "5" },
      { name: "/cnb/process", type: "5" },
      { name: "/cnb/process/web", type: "2", mode: 0o755, linkName: "/cnb/lifecycle/launcher" },
      { name: "/cnb/process/worker", type: "2" },
      { name: "/cnb/process/a.b", type: "2" },
    ]);
    expect(layer.diffId).toBe("sha256:78139cfd95bb2e7fefa47c731fd2995bf9691ff467dc1f7f19da2e4751df2b38");
  });

  it("refuse process types that cannot be file names", async () => {
    await expect(factory().processTypesLayer([""])).rejects.toThrow("type is required for all processes");
    await expect(factory().processTypesLayer(["a/b"])).rejects.toThrow(
      "invalid process type 'a/b': type may not contain characters '/><:|&\\'",
    );
  });

  it("are made once", async () => {
    write("layers/config/metadata.toml", "layers/sbom/cache/x");
    const lines: string[] = [];
    const made = new LayerFactory({ uid: 1, gid: 1, debug: (line) => lines.push(line) });
    const config = await made.configLayer(join(directory, "layers"));
    expect(await made.configLayer(join(directory, "layers"))).toBe(config);
    expect(lines).toEqual([`Reusing tarball for layer "buildpacksio/lifecycle:config" with SHA: ${config.diffId}`]);
    const sbom = await made.sbomLayer(join(directory, "layers"), "cache");
    expect([sbom.id, sbom.createdBy]).toEqual(["buildpacksio/lifecycle:cache.sbom", "Software Bill-of-Materials"]);
    expect([config.id, config.createdBy]).toEqual(["buildpacksio/lifecycle:config", "Buildpacks Launcher Config"]);
  });
});

describe("what changes while it is read", () => {
  it("leaves out sockets, which no archive can hold", async () => {
    write("app/a");
    const server = createServer().listen(join(directory, "app/socket"));
    await new Promise((resolve) => server.once("listening", resolve));
    const layer = await factory().dirLayer("id", join(directory, "app"), "test");
    expect(await namesIn(layer)).toEqual(["app", "app/a"]);
    server.close();
  });

  it.each<[string, (path: string) => void, RegExp]>([
    ["grows", (path) => appendFileSync(path, "more"), /changed while it was exported: its diff ID was/],
    ["shrinks", (path) => truncateSync(path, 1), /changed while it was exported: its diff ID was/],
    ["is removed", (path) => unlinkSync(path), /changed while it was exported: its diff ID was/],
  ])("fails when a file %s between two readings", async (_, change, message) => {
    write("app/a");
    const layer = await factory().dirLayer("id", join(directory, "app"), "test");
    change(join(directory, "app/a"));
    await expect(entriesOf(layer)).rejects.toThrow(message);
  });

  it.each<[string, (path: string) => void, RegExp]>([
    [
      "grows",
      (path) => appendFileSync(path, "more"),
      /app\/b was changed while it was read: it grew past its size of 5/,
    ],
    ["shrinks", (path) => truncateSync(path, 1), /app\/b was changed while it was read: it ended 4 bytes before/],
    ["is removed", (path) => unlinkSync(path), /app\/b cannot be opened: ENOENT/],
  ])("fails when a file %s after it was listed", async (_, change, message) => {
    write("app/a", "app/b");
    truncateSync(join(directory, "app/a"), 3 << 20);
    // Slices are listed first and read one after the other.
    const layers = await factory().sliceLayers(join(directory, "app"), [{ paths: ["*"] }]);
    change(join(directory, "app/b"));
    const [layer] = layers;
    if (layer === undefined) throw new Error("no layer");
    await expect(entriesOf(layer)).rejects.toThrow(message);
  });
});
