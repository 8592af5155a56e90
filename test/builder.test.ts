import { once } from "node:events";
import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { ApiVersion, parseBuildMetadata } from "@lifecycle/spec-types";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { PhaseRunner } from "./harness/phase-runner.ts";
import type { Outcome } from "./harness/run.ts";

let runner: PhaseRunner;

beforeAll(async () => {
  runner = await PhaseRunner.create("builder");
});

beforeEach(() => runner.reset());

afterAll(() => runner.remove());

const groupOf = (...names: readonly string[]) =>
  names.map((name) => `[[group]]\nid = "test/${name}"\nversion = "1.0.0"\napi = "0.12"\n`).join("");

const args = () => [
  ...["-app", runner.appDir, "-buildpacks", runner.buildpacksDir, "-layers", runner.layersDir],
  ...["-platform", runner.platformDir],
  ...["-group", join(runner.dir, "group.toml"), "-plan", join(runner.dir, "plan.toml")],
  ...["-analyzed", join(runner.dir, "analyzed.toml")],
];

interface Options {
  readonly plan?: string;
  readonly more?: readonly string[];
  readonly env?: Record<string, string>;
}

async function prepare(group: string, plan = ""): Promise<void> {
  await runner.write("group.toml", group);
  await runner.write("plan.toml", plan);
  await runner.write(
    "analyzed.toml",
    '[run-image]\nreference = "r"\n[run-image.target]\nos = "linux"\narch = "amd64"\n',
  );
}

async function build(group: string, { plan, more = [], env }: Options = {}): Promise<Outcome> {
  await prepare(group, plan);
  return runner.run("builder", [...args(), ...more], env);
}

const metadataPath = () => join(runner.layersDir, "config/metadata.toml");

describe("a build", () => {
  it("shows what buildpacks print, both outputs in order, whatever way they are opened", async () => {
    const { code, stdout, stderr } = await build(groupOf("passes"));
    expect(stdout).toContain(
      "\non standard output\non standard error\nthrough /dev/stderr\n\u001b[32mgreen\u001b[0m\n",
    );
    expect(stderr).toBe("");
    expect(code).toBe(0);
  });

  it("shows no colours with -no-color", async () => {
    const { stdout } = await build(groupOf("passes"), { more: ["-no-color"] });
    expect(stdout).toContain("\nthrough /dev/stderr\ngreen\n");
  });

  it("writes metadata.toml", async () => {
    await build(groupOf("passes"));
    const text = readFileSync(metadataPath(), "utf8");
    expect(parseBuildMetadata(text, metadataPath(), ApiVersion.parse("0.13"))).toMatchObject({
      buildpacks: [{ id: "test/passes", version: "1.0.0", api: "0.12" }],
      labels: [{ key: "test.label", value: "value" }],
      processes: [
        {
          type: "web",
          command: ["tool", "serve"],
          args: ["--port", "8080"],
          direct: true,
          default: false,
          buildpackId: "test/passes",
        },
      ],
      buildpackDefaultProcessType: "web",
    });
  });

  it("collects SBOM files, and removes those of the last build", async () => {
    const sbom = join(runner.layersDir, "sbom");
    await build(groupOf("passes"));
    expect(readdirSync(join(sbom, "launch")).sort()).toEqual(["sbom.legacy.json", "test_passes"]);
    expect(readFileSync(join(sbom, "launch/test_passes/tools/sbom.cdx.json"), "utf8")).toBe("{}\n");
    expect(readFileSync(join(sbom, "build/sbom.legacy.json"), "utf8")).toBe("null\n");
    await build(groupOf("requires"));
    expect(readdirSync(join(sbom, "launch"))).toEqual(["sbom.legacy.json"]);
  });

  it("gives buildpacks the layers before them and their part of the plan, not the platform's secrets", async () => {
    const plan =
      '[[entries]]\n[[entries.providers]]\nid = "test/provides"\nversion = "1.0.0"\n' +
      '[[entries.requires]]\nname = "dep"\n[entries.requires.metadata]\nversion = "1.2"\n';
    const { stdout } = await build(groupOf("passes", "provides", "requires"), { plan, env: { SECRET: "secret" } });
    expect(stdout).toMatch(/asked for:\n\[\[entries\]\]\s+name = "dep"\s+\[entries\.metadata\]\s+version = "1\.2"\n/);
    expect(stdout).toContain("TOOL is from-passes\nSECRET is not set\n");
  });
});

describe("a running build", () => {
  /** Starts a build that goes on for ever; resolves once its buildpack has said so. */
  async function startWaiting() {
    await prepare(groupOf("waits"));
    rmSync(join(runner.platformDir, "go"), { force: true });
    const child = runner.start("builder", args());
    let output = "";
    const waiting = new Promise<void>((resolve) => {
      child.stdout?.setEncoding("utf8").on("data", (text: string) => {
        output += text;
        if (output.includes("waiting\n")) resolve();
      });
    });
    const ended = once(child, "close").then(([code, signal]) => ({ code, signal }));
    await Promise.race([waiting, ended]);
    return { child, ended, output: () => output };
  }

  it("shows lines as they are printed", async () => {
    const { ended, output } = await startWaiting();
    expect(output()).not.toContain("done");
    await runner.write("platform/go", "");
    expect(await ended).toEqual({ code: 0, signal: null });
    expect(output()).toMatch(/waiting\ndone\n$/);
  });

  it("stops with its buildpack and all that it started", async () => {
    const { child, ended, output } = await startWaiting();
    const background = Number(readFileSync(join(runner.layersDir, "test_waits/background.pid"), "utf8"));
    child.kill("SIGTERM");
    expect(await ended).toEqual({ code: 143, signal: null });
    expect(output()).toContain("told to stop\n");
    await expect.poll(() => isRunning(background)).toBe(false);
    expect(existsSync(metadataPath())).toBe(false);
  });
});

/** Whether a process is there and no zombie, which it is until its new parent looks after it. */
function isRunning(pid: number): boolean {
  try {
    return !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return false;
  }
}

describe("wrong inputs", () => {
  it("exits with 51 if a buildpack fails, and writes no metadata", async () => {
    const { code, stdout } = await build(groupOf("passes", "errs"));
    expect(stdout).toMatch(/about to fail\n.*failed to build: exit status 7\n$/);
    expect(code).toBe(51);
    expect(existsSync(metadataPath())).toBe(false);
  });

  it("exits with 12 for a Buildpack API that is not supported", async () => {
    const { code } = await build('[[group]]\nid = "test/old-api"\nversion = "1.0.0"\napi = "0.2"\n');
    expect(code).toBe(12);
  });

  it("exits with 52 for a buildpack that is not there", async () => {
    const { code, stdout } = await build(groupOf("nowhere"));
    expect(stdout).toContain("failed to build: open ");
    expect(code).toBe(52);
  });

  it("names file, line and column of broken files", async () => {
    expect(await build("[[group]\n")).toMatchObject({
      code: 1,
      stdout: expect.stringContaining(`failed to read group file: ${runner.dir}/group.toml:1:8: `),
    });
    expect(await build(groupOf("passes"), { plan: "entries = \n" })).toMatchObject({
      code: 1,
      stdout: expect.stringContaining(`failed to read plan file: ${runner.dir}/plan.toml:1:`),
    });
  });

  it.each([
    ["0.12", "build/test_tool/Dockerfile"],
    ["0.13", "test_tool/build.Dockerfile"],
  ])("says what buildpacks will miss where the extender was needed, at %s", async (api, path) => {
    const extensions = ["tool", "other"].map((name) => groupOf(name).replace("[[group]]", "[[group-extensions]]"));
    const group = `${groupOf("passes")}${extensions.join("")}`;
    await runner.write(`layers/generated/${path}`, "");
    const { code, stdout } = await build(group, { more: ["-no-color"], env: { CNB_PLATFORM_API: api } });
    expect(stdout).toContain(
      "Warning: The build image is not extended by test/tool@1.0.0: run extender in place of builder\n",
    );
    expect(code).toBe(0);
  });

  it.runIf(process.getuid?.() === 0)("refuses to run as root", async () => {
    await prepare(groupOf("passes"));
    const { code, stdout } = await runner.runAsSelf("builder", args());
    expect(stdout).toContain("failed to build: refusing to run as root");
    expect(code).toBe(1);
  });
});
