import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, readlink, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { run } from "./harness/run.ts";
import { SAMPLE_BUILDPACKS } from "./harness/sample-builder.ts";

/** Directories of one buildpack's build, on the host. */
interface Build {
  app: string;
  layers: string;
  plan: string;
}

let directory: string;
let build: Build;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "samples-"));
  build = { app: join(directory, "app"), layers: join(directory, "layers"), plan: join(directory, "plan.toml") };
  for (const path of [build.app, build.layers, join(directory, "platform")]) await mkdir(path);
  await writeFile(build.plan, "");
});

afterEach(() => rm(directory, { recursive: true, force: true }));

function runBuildpack(name: string, program: "detect" | "build", env: Record<string, string> = {}) {
  const buildpack = join(SAMPLE_BUILDPACKS, `samples_${name}/1.0.0`);
  return run(join(buildpack, "bin", program), [], {
    cwd: build.app,
    env: {
      PATH: process.env.PATH ?? "",
      CNB_BUILDPACK_DIR: buildpack,
      CNB_PLATFORM_DIR: join(directory, "platform"),
      CNB_LAYERS_DIR: build.layers,
      CNB_BP_PLAN_PATH: build.plan,
      CNB_BUILD_PLAN_PATH: build.plan,
      ...env,
    },
  });
}

describe("samples/procfile", () => {
  it("does not detect an application without a Procfile", async () => {
    expect((await runBuildpack("procfile", "detect")).code).toBe(100);
  });

  it("starts plain words directly and everything else with bash", async () => {
    const lines = ["# processes", "", "web: node server.js --port=1", 'worker: echo "$HOME" \\ a | cat', "PORT: A=1 b"];
    await writeFile(join(build.app, "Procfile"), lines.join("\r\n"));
    expect((await runBuildpack("procfile", "detect")).code).toBe(0);
    expect(await runBuildpack("procfile", "build")).toMatchObject({ code: 0, stdout: "Processes: web worker PORT \n" });
    expect(await readFile(join(build.layers, "launch.toml"), "utf8")).toBe(
      [
        '[[processes]]\ntype = "web"\ncommand = ["node"]\nargs = ["server.js", "--port=1"]\ndefault = true\n',
        '[[processes]]\ntype = "worker"\ncommand = ["bash"]\nargs = ["-c", "echo \\"$HOME\\" \\\\ a | cat"]\n',
        '[[processes]]\ntype = "PORT"\ncommand = ["bash"]\nargs = ["-c", "A=1 b"]\n\n',
      ].join("\n"),
    );
  });

  it("has the same processes when an earlier build has left its own", async () => {
    await writeFile(join(build.app, "Procfile"), "web: node server.js\n");
    for (const _ of ["first", "again"]) {
      expect(await runBuildpack("procfile", "build")).toMatchObject({ code: 0, stdout: "Processes: web \n" });
    }
  });

  it("names the line that is no process", async () => {
    await writeFile(join(build.app, "Procfile"), "web: node server.js\nno process\n");
    const outcome = await runBuildpack("procfile", "build");
    expect(outcome).toMatchObject({ code: 1, stderr: "Procfile, line 2: expected '<type>: <command>'\n" });
  });
});

describe("samples/npm-install", () => {
  it("detects an application with a lockfile, and asks for the runtime that .nvmrc names", async () => {
    expect((await runBuildpack("npm-install", "detect")).code).toBe(100);
    await writeFile(join(build.app, "package.json"), "{}");
    expect((await runBuildpack("npm-install", "detect")).code).toBe(100);
    await writeFile(join(build.app, "package-lock.json"), "{}");
    await writeFile(join(build.app, ".nvmrc"), "v22\n");
    expect((await runBuildpack("npm-install", "detect")).code).toBe(0);
    expect(await readFile(build.plan, "utf8")).toContain('name = "node"\n[requires.metadata]\nversion = "v22"\n');
  });

  it("reuses the layer of an unchanged lockfile, twice in one directory, and names no cache that is not there", async () => {
    await writeFile(join(build.app, "package.json"), "{}");
    await writeFile(join(build.app, "package-lock.json"), "{}");
    const hash = createHash("sha256").update(`${process.version}\n{}{}`).digest("hex");
    await writeFile(join(build.layers, "modules.toml"), `[metadata]\nchecksum = "${hash}"\n`);
    const stdout = "Reusing node_modules: package-lock.json is unchanged\n";
    for (const _ of ["first", "again"]) {
      expect(await runBuildpack("npm-install", "build")).toMatchObject({ code: 0, stdout, stderr: "" });
    }
    expect(await readlink(join(build.app, "node_modules"))).toBe(join(build.layers, "modules/node_modules"));
    expect(await readdir(build.layers)).toEqual(["modules.toml"]);
  });
});

describe("samples/node-engine", () => {
  it("says which versions there are when it has not the one that is asked for", async () => {
    await writeFile(build.plan, '[[entries]]\nname = "node"\n[entries.metadata]\nversion = "8"\n');
    const outcome = await runBuildpack("node-engine", "build");
    expect(outcome.code).toBe(1);
    expect(outcome.stderr).toMatch(/^Node\.js 8 is not available; choose one of (\d+\.\d+\.\d+ )+\n$/);
  });

  it("keeps a restored layer of the version that is asked for", async () => {
    const versions = await readFile(join(SAMPLE_BUILDPACKS, "samples_node-engine/1.0.0/versions"), "utf8");
    const [, version = "", sha512 = ""] = /^(22\.\S+) (\S+)$/m.exec(versions) ?? [];
    await mkdir(join(build.layers, "node/bin"), { recursive: true });
    await writeFile(join(build.layers, "node/bin/node"), "", { mode: 0o755 });
    await writeFile(join(build.layers, "node.toml"), `[metadata]\nsha512 = "${sha512}"\nversion = "${version}"\n`);
    const outcome = await runBuildpack("node-engine", "build", { BP_NODE_VERSION: "22" });
    expect(outcome).toMatchObject({ code: 0, stdout: `Reusing Node.js ${version}\n`, stderr: "" });
    expect(await readFile(join(build.layers, "node.toml"), "utf8")).toMatch(/^\[types\]\nbuild = true\n/);
  });
});
