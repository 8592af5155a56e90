import { execFileSync, spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { dirname, join } from "node:path";
import { toBytePath } from "@lifecycle/layers";
import { LifecycleError } from "@lifecycle/phase";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Workspace } from "./test-workspace.ts";
import { zipDirectory } from "./test-zip.ts";
import { recover, Transaction } from "./transaction.ts";

let workspace: Workspace;

beforeEach(() => {
  workspace = new Workspace();
});

afterEach(() => workspace.remove());

const project = (text: string) => workspace.write("app/project.toml", `[_]\nschema-version = "0.2"\n${text}`);
const everything = () =>
  project(`version = "1"
[io.buildpacks]
exclude = ["*.log"]
[[io.buildpacks.pre.group]]
uri = "bp"
[[io.buildpacks.build.env]]
name = "A"
value = "b"
`);

describe("a second run", () => {
  it("comes to the same as the first, on top of what that left", async () => {
    workspace.writeBuildpack(join(workspace.app, "bp"), "x/y@1.2.3");
    workspace.write("app/a.log", "");
    everything();
    const orderPath = join(workspace.layers, "order.toml");
    const first = await workspace.prepare();
    expect(first.order).toBe("x/y@1.2.3 g/a@1.0.0 g/b@1.0.0? | x/y@1.2.3 g/c@1.0.0");
    // a platform that names no order hands over what is found first: the order that the first run wrote
    const second = await workspace.prepare({ orderPath });
    expect(second.error).toBeUndefined();
    expect(second.order).toBe(first.order);
    expect(workspace.env("A")).toBe("b");
  });

  it("takes back what project.toml does not ask for any more, and nothing of the platform's", async () => {
    workspace.writeBuildpack(join(workspace.app, "bp"), "x/y@1.2.3");
    everything();
    await workspace.prepare();
    workspace.write("platform/env/PLATFORM", "yes");
    project("");
    const { prepared } = await workspace.prepare({ orderPath: join(workspace.layers, "order.toml") });
    expect(existsSync(join(workspace.layers, "order.toml"))).toBe(false);
    expect(existsSync(join(workspace.layers, "project-metadata.toml"))).toBe(false);
    expect([workspace.env("A"), workspace.env("PLATFORM")]).toEqual([undefined, "yes"]);
    expect(prepared?.buildpacksDir).toBe(workspace.buildpacks);
  });
});

describe("where buildpacks are put", () => {
  it("beside the builder's own where its directory can be written", async () => {
    workspace.writeBuildpack(join(workspace.app, "bp"), "x/y@1.2.3");
    everything();
    const { prepared } = await workspace.prepare({ buildpacksOutDir: "" });
    expect(prepared?.buildpacksDir).toBe(workspace.buildpacks);
    expect(existsSync(join(workspace.buildpacks, "x_y/1.2.3/bin/build"))).toBe(true);
    expect(readdirSync(workspace.buildpacks).filter((name) => name.startsWith("."))).toEqual([]);
  });

  it("in an overlay that shows the builder's own too", async () => {
    workspace.writeBuildpack(join(workspace.app, "bp"), "x/y@1.2.3");
    everything();
    const { prepared } = await workspace.prepare();
    const overlay = join(workspace.layers, "prepared/buildpacks");
    expect(prepared?.buildpacksDir).toBe(overlay);
    expect(readdirSync(overlay).sort()).toEqual(["g_a", "g_b", "g_c", "g_multi", "x_y"]);
    expect(readlinkSync(join(overlay, "g_multi/2.0.0"))).toBe(join(workspace.buildpacks, "g_multi/2.0.0"));
  });

  it("never into an overlay directory that holds something else", async () => {
    workspace.writeBuildpack(join(workspace.app, "bp"), "x/y@1.2.3");
    workspace.write("layers/prepared/buildpacks/mine", "");
    everything();
    expect((await workspace.prepare()).error).toMatchObject({ exitCode: 110 });
    expect(existsSync(join(workspace.layers, "prepared/buildpacks/mine"))).toBe(true);
  });

  it("with a .cnb file's dependencies", async () => {
    const layout = join(workspace.dir, "layout");
    writeCnb(layout);
    execFileSync("tar", ["-cf", join(workspace.app, "package.cnb"), "-C", layout, "."]);
    project('[[io.buildpacks.group]]\nuri = "package.cnb"\n');
    const { prepared, order, error } = await workspace.prepare();
    expect(error).toBeUndefined();
    expect(order).toBe("p/all@1.0.0");
    expect(prepared?.buildpacks.map(({ id, reason }) => `${id}: ${reason}`)).toEqual([
      "p/part: dependency of p/all@1.0.0",
      "p/all: io.buildpacks.group[0]",
    ]);
  });
});

/** A buildpackage with two buildpacks in one layer, as `pack buildpack package --flatten` makes it. */
function writeCnb(layout: string): void {
  const root = join(workspace.dir, "root");
  const order = '[[order]]\n[[order.group]]\nid = "p/part"\nversion = "1.0.0"\n';
  workspace.writeBuildpack(join(root, "cnb/buildpacks/p_all/1.0.0"), "p/all@1.0.0", order);
  workspace.writeBuildpack(join(root, "cnb/buildpacks/p_part/1.0.0"), "p/part@1.0.0");
  mkdirSync(join(layout, "blobs/sha256"), { recursive: true });
  const store = (content: Buffer | string, mediaType: string) => {
    const hex = execFileSync("sha256sum", { input: content }).toString().slice(0, 64);
    writeFileSync(join(layout, "blobs/sha256", hex), content);
    return { mediaType, digest: `sha256:${hex}`, size: Buffer.byteLength(content) };
  };
  const tar = execFileSync("tar", ["-c", "-C", root, "cnb"]);
  const layer = store(tar, "application/vnd.oci.image.layer.v1.tar");
  const packed = { "1.0.0": { api: "0.10", layerDiffID: layer.digest } };
  const config = store(
    JSON.stringify({
      os: "linux",
      architecture: "amd64",
      rootfs: { type: "layers", diff_ids: [layer.digest] },
      config: {
        Labels: {
          "io.buildpacks.buildpackage.metadata": '{"id":"p/all","version":"1.0.0"}',
          "io.buildpacks.buildpack.layers": JSON.stringify({ "p/all": packed, "p/part": packed }),
        },
      },
    }),
    "application/vnd.oci.image.config.v1+json",
  );
  const type = "application/vnd.oci.image.manifest.v1+json";
  const manifest = store(JSON.stringify({ schemaVersion: 2, mediaType: type, config, layers: [layer] }), type);
  writeFileSync(join(layout, "index.json"), JSON.stringify({ schemaVersion: 2, manifests: [manifest] }));
  writeFileSync(join(layout, "oci-layout"), '{"imageLayoutVersion":"1.0.0"}');
}

describe("an application in an archive", () => {
  /** Makes an archive of the application, which goes. */
  function archived(file: string): string {
    const path = join(workspace.dir, file);
    mkdirSync(dirname(path), { recursive: true });
    if (file.endsWith(".zip")) zipDirectory(path, workspace.app);
    else execFileSync("tar", [file.endsWith(".tgz") ? "-czf" : "-cf", path, "-C", workspace.app, "."]);
    rmSync(workspace.app, { recursive: true });
    return path;
  }

  it.each(["source.tar", "source.tgz", "source.zip"])("%s goes where -app-out says, and is filtered", async (file) => {
    workspace.write("app/bin/run.sh", "#!/bin/sh\n");
    chmodSync(join(workspace.app, "bin/run.sh"), 0o755);
    symlinkSync("bin/run.sh", join(workspace.app, "link"));
    workspace.write("app/a.log", "");
    project('[io.buildpacks]\nexclude = ["*.log"]\n');
    const appDir = archived(file);
    const out = join(workspace.dir, "out");
    const { prepared, error } = await workspace.prepare({ appDir, appOutDir: out });
    expect(error).toBeUndefined();
    expect(workspace.files(out)).toEqual(["bin/run.sh", "link"]);
    expect(statSync(join(out, "bin/run.sh")).mode & 0o777).toBe(0o755);
    expect(prepared?.app).toEqual({ path: out, source: appDir, removed: 1 });
    expect(existsSync(appDir)).toBe(true);
  });

  it("is replaced by a directory where nothing is said", async () => {
    workspace.write("app/main.js", "");
    project("");
    const appDir = archived("source/app");
    const { prepared } = await workspace.prepare({ appDir });
    expect(prepared?.app.path).toBe(appDir);
    expect(workspace.files(join(workspace.dir, "source"))).toEqual(["app/main.js", "app/project.toml"]);
  });

  it("does not go where something else is", async () => {
    project("");
    const appDir = archived("source.tar");
    workspace.write("out/mine", "");
    expect((await workspace.prepare({ appDir, appOutDir: join(workspace.dir, "out") })).error).toMatchObject({
      exitCode: 110,
      message: expect.stringContaining("is not empty (mine)"),
    });
  });
});

describe("all or nothing", () => {
  it("a run that fails at its last step leaves everything as it was", async () => {
    workspace.writeBuildpack(join(workspace.app, "bp"), "x/y@1.2.3");
    workspace.write("app/a.log", "kept");
    everything();
    workspace.write("layers/prepared.toml/in-the-way", "");
    const before = workspace.files(workspace.dir);
    const { error } = await workspace.prepare({ buildpacksOutDir: "" });
    expect(error?.exitCode).toBe(110);
    expect(workspace.files(workspace.dir)).toEqual(before);
    expect(readFileSync(join(workspace.app, "a.log"), "utf8")).toBe("kept");
  });

  it("a run that is told to stop while it downloads leaves everything as it was", async () => {
    const server = createServer((_request, response) => void response.writeHead(200).write("some bytes"));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    project(`[[io.buildpacks.group]]\nuri = "http://127.0.0.1:${port}/bp.tgz"\n`);
    const before = workspace.files(workspace.dir);
    const controller = new AbortController();
    setTimeout(() => controller.abort(new LifecycleError("stopped by SIGTERM", 143)), 300);
    const { error } = await workspace.prepare({ signal: controller.signal });
    expect(error).toMatchObject({ exitCode: 143 });
    expect(workspace.files(workspace.dir)).toEqual(before);
    server.closeAllConnections();
    server.close();
  });

  it("what a killed run took away is put back by the next one", async () => {
    workspace.write("app/kept/deep.log", "kept");
    workspace.write("app/b.log", "kept too");
    const killed = new Transaction();
    const scratch = killed.scratchIn(workspace.app);
    killed.remove(toBytePath(join(workspace.app, "kept")), scratch);
    killed.remove(toBytePath(join(workspace.app, "b.log")), scratch);
    expect(workspace.files()).not.toContain("b.log");
    recover(workspace.app);
    expect(workspace.files()).toEqual(["b.log", "kept/deep.log"]);
  });
});

describe.runIf(spawnSync("git", ["--version"]).status === 0)("a registry index in a Git repository", () => {
  it("is read from its newest commit", async () => {
    const repository = join(workspace.dir, "repository");
    const git = (...args: string[]) =>
      execFileSync("git", ["-C", repository, "-c", "user.name=t", "-c", "user.email=t@example.com", ...args]);
    mkdirSync(join(repository, "bu/il"), { recursive: true });
    git("init", "-q");
    const address = `127.0.0.1:1/x@sha256:${"0".repeat(64)}`;
    const line = JSON.stringify({ ns: "my", name: "buildpack", version: "1.0.0", yanked: false, addr: address });
    writeFileSync(join(repository, "bu/il/my_buildpack"), `${line}\n`);
    git("add", ".");
    git("commit", "-qm", "first");
    const buildpackRegistry = `git+file://${repository}`;
    project('[[io.buildpacks.group]]\nid = "my/none"\n');
    expect((await workspace.prepare({ buildpackRegistry })).error?.message).toContain("has no buildpack 'my/none'");
    project('[[io.buildpacks.group]]\nid = "my/buildpack"\nversion = "2.0.0"\n');
    expect((await workspace.prepare({ buildpackRegistry })).error?.message).toContain("has no 'my/buildpack@2.0.0'");
    const absent = await workspace.prepare({ buildpackRegistry: `git+file://${workspace.dir}/none` });
    expect(absent.error).toMatchObject({ exitCode: 112, message: expect.stringContaining("git: ") });
  });
});
