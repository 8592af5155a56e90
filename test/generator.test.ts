import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { chmod, rm } from "node:fs/promises";
import { join } from "node:path";
import { parseAnalyzed, parsePlan } from "@lifecycle/spec-types";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { PHASE_USER, PhaseRunner } from "./harness/phase-runner.ts";
import { startRegistry } from "./harness/registry.ts";
import { requireServer } from "./harness/require-server.ts";
import type { Outcome } from "./harness/run.ts";
import { writeScratchImage } from "./harness/scratch-image.ts";
import { copyImage, inspectImage } from "./harness/skopeo.ts";
import { pushSmallRunImage } from "./harness/small-run-image.ts";

const START = `ARG base_image\nFROM \${base_image}\n`;
/** Writes run.Dockerfile, build.Dockerfile, arguments and a build context. */
const EVERYTHING = `
  printf '${START}RUN run\\n' >$1/run.Dockerfile
  printf '${START}RUN build\\n' >$1/build.Dockerfile
  printf '[[build.args]]\\nname = "a"\\nvalue = "b"\\n' >$1/extend-config.toml
  mkdir $1/context.run
  echo file >$1/context.run/file
`;
const SWITCH = "echo FROM known/run:2 >$1/run.Dockerfile";
const ANALYZED =
  '[run-image]\nreference = "registry.invalid/run:1"\nimage = "run"\n[run-image.target]\nos = "linux"\narch = "amd64"\n';

let runner: PhaseRunner;

beforeAll(async () => {
  runner = await PhaseRunner.create("analyzer", "detector", "generator", "restorer", "builder", "exporter");
  await runner.write("run.toml", '[[images]]\nimage = "known/run:2"\n');
});

beforeEach(async () => {
  await runner.reset();
  await rm(join(runner.dir, "extensions"), { recursive: true, force: true });
  await runner.write("layers/analyzed.toml", ANALYZED);
  await chmod(join(runner.layersDir, "analyzed.toml"), 0o666);
});

afterAll(() => runner.remove());

/** Writes extensions with these scripts as bin/generate, and an order in which all come before buildpack `test/requires`. */
async function extensions(scripts: Readonly<Record<string, string | undefined>>): Promise<void> {
  let order = '[[order]]\n[[order.group]]\nid = "test/requires"\nversion = "1.0.0"\n';
  if (Object.keys(scripts).length > 0) order += "[[order-extensions]]\n";
  for (const [name, script] of Object.entries(scripts)) {
    const dir = `extensions/test_${name}/1.0.0`;
    const descriptor = `[extension]\nid = "test/${name}"\nname = "x"\nversion = "1.0.0"\n`;
    await runner.write(`${dir}/extension.toml`, `api = "0.12"\n${descriptor}`);
    await runner.write(`${dir}/detect/plan.toml`, '[[provides]]\nname = "dep"\n');
    if (script !== undefined) {
      await chmod(await runner.write(`${dir}/bin/generate`, `#!/bin/bash\nset -eu\n${script}\n`), 0o755);
    }
    order += `[[order-extensions.group]]\nid = "test/${name}"\nversion = "1.0.0"\n`;
  }
  await runner.write("order.toml", order);
}

function phase(name: "detector" | "generator", api = "0.13", more: readonly string[] = []): Promise<Outcome> {
  const args = [
    ...["-app", runner.appDir, "-buildpacks", runner.buildpacksDir, "-layers", runner.layersDir, "-no-color"],
    ...["-platform", runner.platformDir, "-order", join(runner.dir, "order.toml")],
    ...["-extensions", join(runner.dir, "extensions"), ...more],
  ];
  const env = { CNB_PLATFORM_API: api, CNB_RUN_PATH: join(runner.dir, "run.toml"), CNB_EXPERIMENTAL_MODE: "silent" };
  return runner.run(name, args, env);
}

const path = (name: string) => join(runner.layersDir, name);
const read = (name: string) => readFileSync(path(name), "utf8");
const runImage = () => parseAnalyzed(read("analyzed.toml"), "analyzed.toml").runImage;
const plan = () => parsePlan(read("plan.toml"), "plan.toml").entries;

/** The files below `<generated>`. */
function generated(): string[] {
  if (!existsSync(path("generated"))) return [];
  const entries = readdirSync(path("generated"), { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(path("generated/").length))
    .sort();
}

describe("the detector", () => {
  it.each(["0.13", "0.14", "0.15"])("leaves what extensions generate where Platform API %s has it", async (api) => {
    await extensions({ ignored: EVERYTHING, switches: SWITCH, extends: EVERYTHING });
    const { code, stdout } = await phase("detector", api);
    expect(stdout).not.toContain("Warning");
    expect(code).toBe(0);
    const files = ["build.Dockerfile", "context.run/file", "extend-config.toml"];
    expect(generated()).toEqual([
      ...[...files, "run.Dockerfile"].map((name) => `test_extends/${name}`),
      ...[...files, "run.Dockerfile.ignore"].map((name) => `test_ignored/${name}`),
      "test_switches/run.Dockerfile",
    ]);
    expect(runImage()).toEqual({ reference: "known/run:2", image: "known/run:2", extend: true });
  });

  it.each(["0.10", "0.11", "0.12"])("leaves it by kind at Platform API %s", async (api) => {
    await extensions({ ignored: EVERYTHING, switches: SWITCH });
    expect((await phase("detector", api)).code).toBe(0);
    expect(generated()).toEqual([
      ...["build/test_ignored/Dockerfile", "build/test_ignored/extend-config.toml"],
      ...["run/test_ignored/Dockerfile.ignore", "run/test_ignored/extend-config.toml", "run/test_switches/Dockerfile"],
    ]);
    expect(read("generated/build/test_ignored/Dockerfile")).toBe(`${START}RUN build\n`);
    expect(await runner.leftovers()).toEqual([]);
  });

  it("says that a build context is not used before Platform API 0.13", async () => {
    await extensions({ extends: EVERYTHING });
    const { code, stdout } = await phase("detector", "0.12");
    expect(stdout.match(/^Warning: .*$/gm)).toEqual([
      "Warning: Not using context.run of extension test/extends, which takes Platform API 0.13 or later: " +
        "run.Dockerfile copies from the app directory",
    ]);
    expect(code).toBe(0);
  });

  it("gives an extension what it is asked for, and takes that out of the plan", async () => {
    await extensions({ provides: "cat $3; echo error >&2" });
    const { code, stdout } = await phase("detector");
    expect(stdout).toContain('[[entries]]\n  name = "dep"\n');
    expect(stdout).toContain("error\n");
    expect(code).toBe(0);
    expect(plan()).toEqual([]);
    expect(runImage()).toMatchObject({ image: "run", target: { os: "linux", arch: "amd64" } });
  });

  it("warns of a run image that run.toml does not have, and of instructions that are not recommended", async () => {
    await extensions({ switches: `printf 'FROM other\\nCMD x\\n' >$1/run.Dockerfile` });
    const { stdout } = await phase("detector");
    expect(stdout).toContain("Warning: run.Dockerfile command CMD on line 2 is not recommended\n");
    expect(stdout).toContain("Warning: new runtime base image 'other' not found in run metadata\n");
  });

  it("takes what an extension brings along, and nothing of an earlier build", async () => {
    await extensions({ brings: undefined });
    const dir = "extensions/test_brings/1.0.0/generate";
    await runner.write(`${dir}/build.Dockerfile`, `${START}COPY f /\n`);
    await runner.write(`${dir}/build.Dockerfile.dockerignore`, "secret\n");
    await runner.write(`${dir}/context/sub/f`, "f");
    await runner.write(`${dir}/other`, "not for us");
    expect((await phase("detector")).code).toBe(0);
    expect(generated()).toEqual([
      "test_brings/build.Dockerfile",
      "test_brings/build.Dockerfile.dockerignore",
      "test_brings/context/sub/f",
    ]);
    for (const name of ["build.Dockerfile.dockerignore", "context"]) {
      await rm(join(runner.dir, dir, name), { recursive: true });
    }
    expect((await phase("detector")).code).toBe(0);
    expect(generated()).toEqual(["test_brings/build.Dockerfile"]);
  });

  it.each([
    ["fails", "exit 7", 91, "failed to build: exit status 7"],
    ["writes a build.Dockerfile of two stages", `printf '${START}FROM x' >$1/build.Dockerfile`, 92, "multistage build"],
    ["writes a build.Dockerfile that starts otherwise", "echo FROM x >$1/build.Dockerfile", 92, "required ARG command"],
    ["writes no Dockerfile", "echo nothing >$1/run.Dockerfile", 92, "/test_wrong/run.Dockerfile:1: "],
    ["writes a named pipe", "mkfifo $1/run.Dockerfile", 92, "run.Dockerfile: not a regular file"],
    ["writes two kinds of contexts", "mkdir $1/context $1/context.build", 92, "together with a shared context"],
    [
      "has a symlink for its context",
      "ln -s / $1/context",
      92,
      "/context is a symlink; a build context has to be a directory",
    ],
    [
      "sets the lifecycle's arguments",
      `printf '[[run.args]]\\nname = "user_id"\\nvalue = "0"\\n' >$1/extend-config.toml`,
      ...([92, 'arg with name "user_id" is not allowed'] as const),
    ],
  ])("says what is wrong with an extension that %s", async (_, script, exitCode, message) => {
    await extensions({ wrong: script });
    const { code, stdout } = await phase("detector");
    expect(stdout).toContain("ERROR: failed to build: ");
    expect(stdout).toContain(message);
    expect(code).toBe(exitCode);
    expect(read("analyzed.toml")).toBe(ANALYZED);
  });

  it("copies no named pipe out of an extension", async () => {
    await extensions({ brings: undefined });
    const dir = "extensions/test_brings/1.0.0/generate";
    await runner.write(`${dir}/context/f`, "");
    const pipes: [string, string][] = [
      ["context/pipe", "is no file, directory or symlink"],
      ["run.Dockerfile.dockerignore", ": not a regular file"],
    ];
    for (const [pipe, why] of pipes) {
      execFileSync("mkfifo", [join(runner.dir, dir, pipe)]);
      const { code, stdout } = await phase("detector");
      expect(stdout).toContain(`/${pipe}${pipe.startsWith("context") ? " " : ""}${why}`);
      expect(code).toBe(92);
      await rm(join(runner.dir, dir, pipe));
    }
  });
});

describe("the generator", () => {
  it("does the same by itself, with what the detector found", async () => {
    await extensions({ extends: EVERYTHING });
    expect((await phase("detector")).code).toBe(0);
    const found = [generated(), runImage()];
    const without = read("plan.toml");
    await rm(path("generated"), { recursive: true });
    await runner.write("layers/analyzed.toml", ANALYZED);
    const { code, stdout } = await phase("generator");
    expect([code, stdout]).toEqual([0, "target distro name/version labels not found, reading /etc/os-release file\n"]);
    expect([generated(), runImage()]).toEqual(found);
    expect(read("plan.toml")).toBe(without);
  });

  it("has nothing to do without extensions", async () => {
    await extensions({});
    await runner.write("order.toml", '[[order]]\n[[order.group]]\nid = "test/passes"\nversion = "1.0.0"\n');
    expect((await phase("detector")).code).toBe(0);
    expect(await phase("generator")).toMatchObject({ code: 0, stdout: "" });
    expect([generated(), read("analyzed.toml")]).toEqual([[], ANALYZED]);
  });

  it("is experimental before Platform API 0.13", async () => {
    await extensions({ extends: EVERYTHING });
    expect((await phase("detector", "0.12")).code).toBe(0);
    const args = ["-layers", runner.layersDir];
    const { code, stdout } = await runner.run("generator", args, { CNB_PLATFORM_API: "0.12" });
    expect(stdout).toContain("experimental features are disabled by CNB_EXPERIMENTAL_MODE=error");
    expect(code).toBe(1);
  });

  it("says which file it misses", async () => {
    const { code, stdout } = await phase("generator");
    expect(stdout).toContain("failed to initialize generator: reading group: failed to read group file: ");
    expect(code).toBe(1);
  });

  it.runIf(process.getuid?.() === 0)("refuses to run as root", async () => {
    const { code, stdout } = await runner.runAsSelf("generator", ["-layers", runner.layersDir]);
    expect(stdout).toContain("failed to generate: refusing to run as root");
    expect(code).toBe(1);
  });
});

it("the exporter makes no image of a run image that is still to be extended", async () => {
  await extensions({ extends: EVERYTHING });
  expect((await phase("detector")).code).toBe(0);
  const user = ["-uid", `${PHASE_USER.uid}`, "-gid", `${PHASE_USER.gid}`];
  const args = ["-layers", runner.layersDir, "-no-color", ...user, "registry.invalid/app"];
  const { code, stdout } = await runner.run("exporter", args);
  expect(stdout).toContain("ERROR: failed to get extended image config: missing extended run image in");
  expect(code).toBe(1);
});

it.runIf(requireServer("docker-registry", "skopeo"))("an extension exchanges the run image", async () => {
  const registry = await startRegistry();
  try {
    const original = await pushSmallRunImage(registry);
    const other = `${registry.host}/other/run:1`;
    const layout = join(runner.dir, "other-run");
    await writeScratchImage(layout, {
      layers: [join(import.meta.dirname, "harness")],
      config: { Labels: { "io.buildpacks.base.distro.name": "other", "io.buildpacks.base.distro.version": "2" } },
    });
    await copyImage(`oci:${layout}`, `docker://${other}`, { to: registry });
    await extensions({ switches: `echo FROM ${other} >$1/run.Dockerfile` });
    await runner.write("order.toml", readFileSync(join(runner.dir, "order.toml"), "utf8").replace("requires", "app"));
    const build =
      'echo "builds for $CNB_TARGET_DISTRO_NAME"; printf \'[[labels]]\\nkey = "a"\\nvalue = "b"\\n\' >$1/launch.toml';
    const detectApp = "printf '[[requires]]\\nname = \"dep\"\\n' >$2";
    await runner.writeBuildpack("test/app", { detect: detectApp, build });
    const env = { CNB_REGISTRY_AUTH: registry.registryAuth(), CNB_PLATFORM_DIR: runner.platformDir };
    const common = ["-layers", runner.layersDir, "-no-color"];
    const user = ["-uid", `${PHASE_USER.uid}`, "-gid", `${PHASE_USER.gid}`];
    const sources = ["-app", runner.appDir];
    const image = `${registry.host}/team/app:1`;
    const succeed = async (name: string, args: readonly string[]) => {
      const { code, stdout, stderr } = await runner.run(name, [...common, ...args], env);
      expect({ code, stderr }, stdout).toEqual({ code: 0, stderr: "" });
      return stdout;
    };
    await succeed("analyzer", [...user, "-run-image", original, image]);
    expect((await phase("detector")).code).toBe(0);
    await succeed("restorer", user);
    const buildpacks = ["-buildpacks", runner.buildpacksDir];
    expect(await succeed("builder", [...sources, ...buildpacks])).toContain("builds for other\n");
    await succeed("exporter", [...user, ...sources, "-launcher", join(runner.dir, "launcher"), image]);
    const app = await inspectImage(`docker://${image}`, registry);
    const run = await inspectImage(`docker://${other}`, registry);
    expect(app.config.config.Labels).toMatchObject({ a: "b", "io.buildpacks.base.distro.name": "other" });
    expect(app.config.rootfs.diff_ids.slice(0, 1)).toEqual(run.config.rootfs.diff_ids);
  } finally {
    await registry.stop();
  }
});
