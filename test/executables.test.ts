import { createHash, randomBytes } from "node:crypto";
import { cp, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Distribution, distribution } from "./harness/distribution.ts";
import { requireEmptyRoot, runInRoot } from "./harness/empty-root.ts";
import { mustRun, run } from "./harness/run.ts";

const PHASES = [
  "analyzer",
  "builder",
  "creator",
  "detector",
  "exporter",
  "extender",
  "generator",
  "preparer",
  "rebaser",
  "restorer",
];
const LIBC = ["ld-linux-x86-64.so.2", "libc.so.6", "libdl.so.2", "libm.so.6", "libpthread.so.0"];
/** A library that every machine with glibc has, and that the executables do not need. */
const PRELOADED = "libresolv.so.2";
const SBOMS = ["lifecycle", "launcher"].flatMap((name) =>
  ["cdx", "spdx", "syft"].map((format) => `${name}.sbom.${format}.json`),
);
const EVERYTHING = [...PHASES, ...LIBC, ...SBOMS, "launcher", "lifecycle", "loader"].sort();
const BUILD = fileURLToPath(new URL("../packages/lifecycle/build/build.mjs", import.meta.url));

let dist: Distribution;
let work: string;

beforeAll(async () => {
  dist = distribution();
  work = await mkdtemp(join(tmpdir(), "executables-"));
});

afterAll(() => rm(work, { recursive: true, force: true }));

describe.runIf(await requireEmptyRoot())("the archive in a root that holds nothing else", () => {
  /**
   * What an image may have set for its own application. The programs that make the root see it too; they find a library
   * of this name where the root has a broken one.
   */
  const env = {
    PATH: process.env.PATH ?? "",
    HOME: "/nowhere",
    LD_LIBRARY_PATH: "/broken",
    LD_PRELOAD: PRELOADED,
    BUN_JSC_noSuchOption: "1",
  };
  let root: string;

  beforeAll(async () => {
    root = join(work, "root");
    for (const path of ["cnb", "proc", "broken"]) await mkdir(join(root, path), { recursive: true });
    await mustRun("tar", [
      "--extract",
      "--gzip",
      "--file",
      dist.archive,
      "--directory",
      join(root, "cnb"),
      "lifecycle",
    ]);
    for (const name of [...LIBC, PRELOADED]) await writeFile(join(root, "broken", name), randomBytes(4096));
  });

  it.each([...PHASES, "lifecycle"])("%s prints its version", async (name) => {
    const outcome = await runInRoot(root, [`/cnb/lifecycle/${name}`, "-version"], { env });
    expect(outcome).toEqual({ code: 0, signal: null, stdout: `${dist.version}\n`, stderr: "" });
  });

  it.each(PHASES)("%s explains its flags when it is given one that it does not have", async (name) => {
    const outcome = await runInRoot(root, [`/cnb/lifecycle/${name}`, "-no-such-flag"], {
      env: { ...env, CNB_PLATFORM_API: "0.13" },
    });
    expect(outcome.code).toBe(2);
    expect(outcome.stderr).toContain("flag provided but not defined: -no-such-flag");
    expect(outcome.stderr).toMatch(/^ {2}-log-level string$/m);
  });

  it("lifecycle runs a phase that is its first argument and names the phases for one it does not know", async () => {
    const phase = await runInRoot(root, ["/cnb/lifecycle/lifecycle", "detect", "-version"], { env });
    expect(phase).toMatchObject({ code: 0, stdout: `${dist.version}\n` });
    const unknown = await runInRoot(root, ["/cnb/lifecycle/lifecycle", "-no-such-flag"], {
      env: { ...env, CNB_PLATFORM_API: "0.13" },
    });
    expect(unknown.code).toBe(3);
    expect(unknown.stdout).toContain("failed to recognize phase: -no-such-flag");
    const nothing = await runInRoot(root, ["/cnb/lifecycle/lifecycle"], { env });
    expect(nothing.code).toBe(3);
    expect(nothing.stdout).toContain("failed to parse arguments: say which phase is to run: detect, analyze, ");
  });

  it.each([
    { api: "", says: "failed to get platform API version" },
    { api: "0.99", says: "failed to set platform API: platform API version '0.99' is incompatible" },
    { api: "junk", says: "failed to parse platform API 'junk'" },
  ])("lifecycle looks at the Platform API ($api) before a phase that it does not know", async ({ api, says }) => {
    const command = ["/cnb/lifecycle/lifecycle", "no-such-phase"];
    const outcome = await runInRoot(root, command, { env: { ...env, CNB_PLATFORM_API: api } });
    expect(outcome.stdout).toContain(says);
    expect(outcome.code).toBe(11);
  });

  it("the launcher starts, and says that there is nothing to launch", async () => {
    const outcome = await runInRoot(root, ["/cnb/lifecycle/launcher"], { env });
    expect(outcome.code).not.toBe(0);
    expect(outcome.signal).toBeNull();
    expect(outcome.stdout + outcome.stderr).toContain("failed to");
  });
});

describe("the executables on the host", () => {
  it.each([...PHASES, "lifecycle"])("%s is a complete file by itself", async (name) => {
    const alone = join(work, `${name}-alone`, name);
    await mkdir(join(work, `${name}-alone`));
    await cp(join(dist.executables, name), alone);
    expect(await mustRun(alone, ["-version"])).toBe(`${dist.version}\n`);
  });

  it("cost the disk once", async () => {
    const inodes = await Promise.all([...PHASES, "lifecycle"].map((name) => stat(join(dist.executables, name))));
    expect(new Set(inodes.map(({ ino }) => ino)).size).toBe(1);
  });

  it("take no setting from the working directory or from what a developer's environment tells Bun or Node", async () => {
    const app = join(work, "app");
    await mkdir(app);
    const loud = "process.stdout.write('not ours\\n'); process.exit(99);\n";
    await writeFile(join(app, "loud.js"), loud);
    await writeFile(join(app, ".env"), "CNB_PLATFORM_API=99.99\nBUN_OPTIONS=--preload=./loud.js\n");
    await writeFile(join(app, "bunfig.toml"), 'preload = ["./loud.js"]\n');
    await writeFile(join(app, "tsconfig.json"), '{ "compilerOptions": { "paths": { "*": ["./loud.js"] } } }\n');
    await writeFile(join(app, "package.json"), '{ "type": "commonjs", "imports": { "#*": "./loud.js" } }\n');
    const env = {
      PATH: process.env.PATH ?? "",
      BUN_BE_BUN: "1",
      BUN_OPTIONS: "--preload=./loud.js",
      BUN_INSPECT: "127.0.0.1:0/debug?wait=1",
      BUN_INSPECT_PRELOAD: "./loud.js",
      BUN_BYTECODE_ORDER_OUT: join(app, "order"),
      NODE_OPTIONS: "--require=./loud.js",
    };
    const outcome = await run(join(dist.executables, "creator"), ["-version"], { cwd: app, env, timeout: 20_000 });
    expect(outcome).toEqual({ code: 0, signal: null, stdout: `${dist.version}\n`, stderr: "" });
    expect((await readdir(app)).sort()).toEqual([".env", "bunfig.toml", "loud.js", "package.json", "tsconfig.json"]);
  });
});

describe("the archive", () => {
  it("holds the descriptor at its top and the lifecycle beside it, owned by root and of one time", async () => {
    const options = ["--list", "--verbose", "--gzip", "--numeric-owner", "--full-time", "--utc"];
    const lines = (await mustRun("tar", [...options, "--file", dist.archive])).trimEnd().split("\n");
    const entries = lines.map((line) => {
      const [mode, owner, , date, time, ...path] = line.split(/\s+/);
      return { mode, owner, time: `${date} ${time}`, path: path.join(" ") };
    });
    const one = { owner: "0/0", time: "1980-01-01 00:00:01" };
    expect(entries).toEqual([
      { ...one, mode: "-rw-r--r--", path: "lifecycle.toml" },
      { ...one, mode: "drwxr-xr-x", path: "lifecycle/" },
      ...EVERYTHING.map((name) =>
        PHASES.includes(name)
          ? { ...one, mode: expect.stringMatching(/^l/), path: `lifecycle/${name} -> lifecycle` }
          : { ...one, mode: SBOMS.includes(name) ? "-rw-r--r--" : "-rwxr-xr-x", path: `lifecycle/${name}` },
      ),
    ]);
  });

  it("is described in lifecycle.toml", async () => {
    const inArchive = await mustRun("tar", [
      "--extract",
      "--to-stdout",
      "--gzip",
      "--file",
      dist.archive,
      "lifecycle.toml",
    ]);
    expect(inArchive).toBe(await readFile(join(dist.executables, "../lifecycle.toml"), "utf8"));
    expect(inArchive).toContain(`version = "${dist.version}"`);
    expect(inArchive).toMatch(/\[apis\.platform\]\s+deprecated = \[.*\]\s+supported = \["0\.7", .*"0\.15"\]/);
    expect(inArchive).toMatch(/\[apis\.buildpack\]\s+deprecated = \[.*\]\s+supported = \["0\.7", .*"0\.12"\]/);
  });

  it("has the same bytes when it is built again", async () => {
    const again = join(work, "again");
    await mustRun(process.execPath, [BUILD, again]);
    const name = `lifecycle-v${dist.version}+linux.x86-64.tgz`;
    expect(await digestOf(join(again, name))).toBe(await digestOf(dist.archive));
    expect(await digestOf(join(again, "linux-amd64/lifecycle/lifecycle"))).toBe(
      await digestOf(join(dist.executables, "lifecycle")),
    );
  });

  it("says in its SBOMs what is in the executables", async () => {
    for (const name of ["lifecycle", "launcher"]) {
      const read = async (format: string): Promise<unknown> =>
        JSON.parse(await readFile(join(dist.executables, `${name}.sbom.${format}.json`), "utf8"));
      const expected =
        name === "lifecycle" ? ["pino", "@oven/bun-linux-x64-baseline", "libc6"] : ["qjs-src", "musl-dev"];
      for (const component of expected) {
        const listed = expect.objectContaining({ name: component });
        expect(await read("cdx")).toMatchObject({
          bomFormat: "CycloneDX",
          components: expect.arrayContaining([listed]),
        });
        expect(await read("spdx")).toMatchObject({
          spdxVersion: "SPDX-2.3",
          packages: expect.arrayContaining([listed]),
        });
        expect(await read("syft")).toMatchObject({ artifacts: expect.arrayContaining([listed]) });
      }
    }
  });
});

async function digestOf(path: string): Promise<string> {
  return createHash("sha256")
    .update(await readFile(path))
    .digest("hex");
}
