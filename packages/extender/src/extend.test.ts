import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type DockerfileKind, RootFileSystem } from "@lifecycle/dockerfile";
import { digestOf, encodeConfig, type History, type ImageConfig, mediaTypes, openLayout } from "@lifecycle/image";
import { ConsoleLogger } from "@lifecycle/phase";
import { ApiVersion } from "@lifecycle/spec-types";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { StoredBaseImage } from "./base-image.ts";
import { type ExtendedImage, extend } from "./extend.ts";
import { openExtendCache } from "./extend-cache.ts";
import { writeExtended } from "./write-extended.ts";

const START = `ARG base_image\nFROM \${base_image}\n`;
const BASE_LAYER = digestOf("a layer");

describe.skipIf(process.getuid?.() !== 0)("extending", () => {
  let directory: string;
  let base: StoredBaseImage;
  let log: string[];
  const logger = new ConsoleLogger({ level: "debug", color: false }, (text) => log.push(text));
  const { signal } = new AbortController();

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "extend-"));
    for (const name of ["app", "generated", "kaniko", "root"]) mkdirSync(join(directory, name));
    writeFileSync(join(directory, "app/file"), "content");
    log = [];
    base = image({ User: "1000:1001" });
  });

  afterEach(() => rmSync(directory, { recursive: true }));

  function image(config: ImageConfig["config"], history?: readonly History[]): StoredBaseImage {
    const whole: ImageConfig = {
      ...{ architecture: "amd64", os: "linux", config },
      rootfs: { type: "layers", diff_ids: [BASE_LAYER] },
      ...(history && { history }),
    };
    const bytes = encodeConfig(whole);
    const manifest = {
      schemaVersion: 2,
      mediaType: mediaTypes.dockerManifest,
      config: { mediaType: mediaTypes.dockerConfig, size: bytes.length, digest: digestOf(bytes) },
      layers: [{ mediaType: mediaTypes.dockerLayerGzip, size: 7, digest: BASE_LAYER }],
    } as const;
    return { config: whole, manifest, identity: digestOf("base"), reference: `base@${digestOf("base")}` };
  }

  /** Applies these Dockerfiles, one for each of the extensions `test/0`, `test/1`, … */
  async function apply(kind: DockerfileKind, ...bodies: string[]): Promise<ExtendedImage> {
    for (const [index, body] of bodies.entries()) {
      mkdirSync(join(directory, `generated/test_${index}`), { recursive: true });
      writeFileSync(join(directory, `generated/test_${index}/${kind}.Dockerfile`), START + body);
    }
    const places = { kept: join(directory, "kaniko"), work: directory, timeToLive: 60 };
    const cache = await openExtendCache(places, logger);
    return extend({
      ...{ kind, base, cache, logger, signal, noColor: true, env: {}, helper: [] },
      ...{ appDir: join(directory, "app"), generatedDir: join(directory, "generated") },
      platformApi: ApiVersion.parse("0.13"),
      extensions: bodies.map((_, index) => ({ id: `test/${index}`, version: "1" })),
      root: new RootFileSystem({ directory: join(directory, "root"), ignored: [], identity: base.identity }),
      openImage: async () => undefined,
    });
  }

  it("gives each Dockerfile the image and the user that those before it left", async () => {
    const labels = "ARG user_id\nARG group_id\nLABEL of=$user_id:$group_id\n";
    const { config } = await apply("build", `${labels}USER 5:6\n`, `ARG base\n${labels}`);
    expect(config.config.Labels).toEqual({ of: "5:6" });
    const digests = log.join("").match(/(?<=to 'base@)sha256:[0-9a-f]{64}/g);
    expect(digests).toHaveLength(2);
    expect(digests?.[0]).toBe(base.identity);
    expect(log.join("")).toContain(`Intermediate image has digest: ${digests?.[1]}\n`);
  });

  it("looks for a Dockerfile's own ignore file before the context's", async () => {
    writeFileSync(join(directory, "app/.dockerignore"), "file\n");
    mkdirSync(join(directory, "generated/test_0"));
    const own = join(directory, "generated/test_0/run.Dockerfile.dockerignore");
    writeFileSync(own, "");
    expect((await apply("run", "COPY file /a\n")).layers).toHaveLength(1);
    rmSync(own);
    await expect(apply("run", "COPY file /a\n")).rejects.toThrow("excluded by its ignore file");
  });

  it("has a new build_id for each Dockerfile", async () => {
    const ids = new Set<string | undefined>();
    for (const _ of [1, 2]) {
      const { config } = await apply("build", "ARG build_id\nLABEL a=$build_id\n", "ARG build_id\nLABEL b=$build_id\n");
      ids.add(config.config.Labels?.a).add(config.config.Labels?.b);
    }
    expect(ids.size).toBe(4);
  });

  it.each([
    ["true and true", "true", "true", "true"],
    ["true, then false", "true", "false", "false"],
    ["false, then true", "false", "true", "false"],
    ["no truth value", "true", "maybe", "false"],
  ])("says of a run image whose Dockerfiles say %s if it can be rebased", async (_, first, second, expected) => {
    const label = (value: string) => `LABEL io.buildpacks.rebasable=${value}\n`;
    const { config } = await apply("run", label(first), label(second));
    expect(config.config.Labels).toEqual({ "io.buildpacks.rebasable": expected });
  });

  it("keeps the history of the base image where it fits its layers, and says who made new ones", async () => {
    const made = { created_by: "Layer: 'COPY file /a', Created by extension: test/0" };
    base = image({ User: "1000" }, [{ created_by: "base" }, { created_by: "ENV", empty_layer: true }]);
    expect((await apply("run", "COPY file /a\nENV a=b\n")).config.history).toEqual([{ created_by: "base" }, made]);
    base = image({ User: "1000" }, [{ created_by: "one" }, { created_by: "too many" }]);
    expect((await apply("run", "COPY file /a\n")).config.history).toEqual([{}, made]);
  });

  it("changes nothing of a run image without Dockerfiles", async () => {
    expect(await apply("run")).toEqual({ config: base.config, layers: [] });
  });

  it("lets root stay the user of a build image, but not of a run image", async () => {
    expect((await apply("build", "USER root\n")).config.config.User).toBe("root");
    expect(log.join("")).toContain(
      "Warning: The original user ID was 1000 but the final extension left the user ID set to root.\n",
    );
    await expect(apply("run", "USER 0:0\n")).rejects.toMatchObject({
      message: expect.stringContaining(
        "extending run image: the final user ID is 0 (root); please add another extension",
      ),
      exitCode: 102,
    });
  });

  it.each(["0", "00", "+0", "root:0", "$user_id:$group_id", ":1000"])(
    "takes USER %s of a run image for root",
    async (user) => {
      await expect(apply("run", `USER ${user}\n`)).rejects.toThrow("the final user ID is 0 (root)");
    },
  );

  it("writes the run image in the base image's family, with nothing but the new layers", async () => {
    const extended = await apply("run", "COPY file /a\n");
    const extendedDir = join(directory, "extended");
    mkdirSync(join(extendedDir, "run/old"), { recursive: true });
    const layout = await writeExtended(base.manifest, extended, extendedDir, logger, signal);
    expect(readdirSync(extendedDir)).toEqual(["run"]);
    expect(readdirSync(join(extendedDir, "run"))).toEqual([layout.slice(layout.lastIndexOf("/") + 1)]);
    const written = await openLayout(layout);
    expect(written?.config.config).toEqual(extended.config.config);
    expect(written?.manifest.layers.map(({ mediaType }) => mediaType)).toEqual(
      Array(2).fill(mediaTypes.dockerLayerGzip),
    );
    expect(log.join("")).toContain(`Final extended image has digest: ${layout.slice(layout.lastIndexOf("/") + 1)}\n`);
    expect(log.join("")).toContain(`Found original top layer with digest: ${BASE_LAYER}\n`);
    expect(await Promise.all(written?.layers.map((layer) => layer.isHeld()) ?? [])).toEqual([false, true]);
    expect(readdirSync(join(layout, "blobs/sha256"))).toHaveLength(3);
    expect(statSync(join(layout, "blobs/sha256")).mode & 0o777).toBe(0o755);
  });

  it("warns of a run image whose top layer is in it twice", async () => {
    const manifest = { ...base.manifest, layers: [...base.manifest.layers, ...base.manifest.layers] };
    await writeExtended(manifest, await apply("run"), join(directory, "extended"), logger, signal);
    expect(log.slice(-2)).toEqual([
      `Warning: Original run image has duplicated top layer with digest: ${BASE_LAYER}\n`,
      `Found original top layer with digest: ${BASE_LAYER}\n`,
    ]);
  });

  it("says where the run image could not be written to", async () => {
    const extended = await apply("run", "COPY file /a\n");
    const extendedDir = join(directory, "extended");
    const layers = extended.layers.map((layer) => {
      const stored = () => {
        rmSync(join(extendedDir, ".run-unfinished"), { recursive: true });
        return layer.stored();
      };
      return Object.assign(Object.create(layer), { stored });
    });
    const written = writeExtended(base.manifest, { ...extended, layers }, extendedDir, logger, signal);
    await expect(written).rejects.toThrow(`${extendedDir}/.run-unfinished`);
  });

  it("writes the run image to no place that a symlink leads to", async () => {
    const extended = await apply("run", "COPY file /a\n");
    mkdirSync(join(directory, "elsewhere/run"), { recursive: true });
    const extendedDir = join(directory, "extended");
    symlinkSync("elsewhere", extendedDir);
    await expect(writeExtended(base.manifest, extended, extendedDir, logger, signal)).rejects.toThrow(
      `cannot write to ${extendedDir}, which must be a directory and no symlink`,
    );
    rmSync(extendedDir);
    mkdirSync(extendedDir);
    for (const name of ["run", ".run-unfinished"]) symlinkSync("../elsewhere", join(extendedDir, name));
    await writeExtended(base.manifest, extended, extendedDir, logger, signal);
    expect(readdirSync(extendedDir)).toEqual(["run"]);
    expect(readdirSync(join(directory, "elsewhere"))).toEqual(["run"]);
    expect(readdirSync(join(directory, "elsewhere/run"))).toEqual([]);
  });

  it("writes nothing if a layer is not what it was", async () => {
    const extended = await apply("run", "COPY file /a\n");
    const path = extended.layers[0]?.path ?? "";
    writeFileSync(path, readFileSync(path).fill(1));
    const extendedDir = join(directory, "extended");
    await expect(writeExtended(base.manifest, extended, extendedDir, logger, signal)).rejects.toThrow(/digest/);
    expect(readdirSync(extendedDir)).toEqual([]);
  });
});
