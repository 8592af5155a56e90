import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Downloader, type ImageConfig, Trust } from "@lifecycle/image";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Applied, applyDockerfile } from "./apply.ts";
import { LayerCache } from "./layer-cache.ts";
import { parseDockerfile } from "./parse.ts";
import { RootFileSystem } from "./root-file-system.ts";

const config: ImageConfig = {
  architecture: "amd64",
  os: "linux",
  rootfs: { type: "layers", diff_ids: [] },
  config: {},
};

describe.skipIf(process.getuid?.() !== 0)("a root that is prepared when it is needed", () => {
  let directory: string;
  let prepared: number;

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "root-"));
    mkdirSync(join(directory, "context"));
    writeFileSync(join(directory, "context/a"), "content");
    prepared = 0;
  });

  afterEach(() => rmSync(directory, { recursive: true }));

  /** Applies a Dockerfile to a root of its own, with the cache of those before. */
  async function apply(name: string, ...lines: string[]): Promise<Applied> {
    const root = join(directory, name);
    mkdirSync(root);
    return applyDockerfile(parseDockerfile(["FROM base", ...lines].join("\n"), "Dockerfile"), {
      root: new RootFileSystem({
        directory: root,
        ignored: ["/link/ignored"],
        identity: "base",
        prepare: async () => {
          prepared++;
          mkdirSync(join(root, "etc"));
          writeFileSync(join(root, "etc/passwd"), "someone:x:1234:1234::/:/bin/sh\n");
          writeFileSync(join(root, "etc/group"), "someone:x:1234:\n");
        },
      }),
      config,
      buildArgs: {},
      context: join(directory, "context"),
      cache: new LayerCache(join(directory, "cache"), 60),
      helper: [],
      downloader: new Downloader({ trust: new Trust({}) }),
      workDirectory: directory,
      output: () => {},
      signal: new AbortController().signal,
    });
  }

  const first = ["COPY --chown=someone a /x/", "WORKDIR /y"];

  it("is left alone if everything is in the cache", async () => {
    const made = await apply("one", ...first);
    expect(prepared).toBe(1);
    const again = await apply("two", ...first);
    expect(prepared).toBe(1);
    expect(readdirSync(join(directory, "two"))).toEqual([]);
    expect(again).toEqual(made);
    expect(again.layers).toHaveLength(2);
  });

  it("has what came from the cache, in order, as soon as something does not", async () => {
    await apply("one", "COPY a /x/", "COPY a /x/second", ...first);
    await apply("two", "COPY a /x/", "COPY a /x/second", ...first, "COPY a /z");
    expect(prepared).toBe(2);
    for (const path of ["x/a", "x/second", "z"]) {
      expect(readFileSync(join(directory, "two", path), "utf8")).toBe("content");
    }
    expect(existsSync(join(directory, "two/y"))).toBe(true);
    expect(existsSync(join(directory, "two/etc/passwd"))).toBe(true);
  });
});
