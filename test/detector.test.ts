import { existsSync, readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseGroup, parsePlan } from "@lifecycle/spec-types";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { PhaseRunner } from "./harness/phase-runner.ts";
import type { Outcome } from "./harness/run.ts";

let runner: PhaseRunner;

beforeAll(async () => {
  runner = await PhaseRunner.create("detector");
});

beforeEach(() => runner.reset());

afterAll(() => runner.remove());

/** An order of these groups of buildpacks; `?` marks optional ones. */
function orderOf(...groups: readonly (readonly string[])[]): string {
  return groups
    .map((group) => {
      const elements = group.map((name) => {
        const optional = name.endsWith("?") ? "optional = true\n" : "";
        return `[[order.group]]\nid = "test/${name.replace("?", "")}"\nversion = "1.0.0"\n${optional}`;
      });
      return `[[order]]\n${elements.join("")}`;
    })
    .join("\n");
}

const args = () => [
  ...["-app", runner.appDir, "-buildpacks", runner.buildpacksDir, "-layers", runner.layersDir],
  ...["-platform", runner.platformDir, "-order", join(runner.dir, "order.toml")],
];

async function detect(order: string, more: readonly string[] = [], env?: Record<string, string>): Promise<Outcome> {
  await runner.write("order.toml", order);
  return runner.run("detector", [...args(), ...more], env);
}

function results() {
  const group = join(runner.layersDir, "group.toml");
  const plan = join(runner.layersDir, "plan.toml");
  return { group: parseGroup(readFileSync(group, "utf8"), group), plan: parsePlan(readFileSync(plan, "utf8"), plan) };
}

function nothingWritten(): boolean {
  return !existsSync(join(runner.layersDir, "group.toml")) && !existsSync(join(runner.layersDir, "plan.toml"));
}

describe("a group that passes", () => {
  it("is written with its APIs, and its members are listed", async () => {
    const { code, stdout } = await detect(orderOf(["fails"], ["fails?", "passes"]), ["-no-color"]);
    expect(stdout).toBe(
      `Warning: No analyzed metadata found at path "${runner.layersDir}/analyzed.toml"\n` +
        "target distro name/version labels not found, reading /etc/os-release file\n" +
        "1 of 2 buildpacks participating\n" +
        "test/passes 1.0.0\n",
    );
    expect(code).toBe(0);
    expect(results()).toEqual({
      group: {
        group: [{ id: "test/passes", version: "1.0.0", api: "0.12", homepage: "https://example.com/passes" }],
        groupExtensions: [],
      },
      plan: { entries: [] },
    });
  });

  it("comes with its build plan, also out of a composite buildpack", async () => {
    const { code } = await detect(orderOf(["composite"]));
    expect(code).toBe(0);
    expect(results().group.group.map(({ id }) => id)).toEqual(["test/provides", "test/requires"]);
    expect(results().plan.entries).toEqual([
      {
        providers: [{ id: "test/provides", version: "1.0.0" }],
        requires: [{ name: "dep", metadata: { version: "1.2" } }],
      },
    ]);
  });

  it("shows how it was found at log level debug alone", async () => {
    const { stdout } = await detect(orderOf(["composite"]), ["-log-level", "debug"]);
    for (const line of [
      "======== Output: test/fails@1.0.0 ========\ndoes not apply",
      "fail: test/fails@1.0.0",
      "pass: test/provides@1.0.0",
      "Resolving plan... (try #1)\nfail: test/requires@1.0.0 requires nobody-has-this\nResolving plan... (try #2)",
    ]) {
      expect(stdout).toContain(`\n${line}\n`);
    }
  });

  it("warns of a reserved character in the execution environment from Platform API 0.15 on", async () => {
    const warned = async (api: string) => {
      const env = { CNB_PLATFORM_API: api, CNB_EXEC_ENV: "test/unit" };
      const { code, stdout } = await detect(orderOf(["passes"]), [], env);
      expect(code).toBe(0);
      return stdout.includes("CNB_EXEC_ENV should not contain '/', which is reserved: \"test/unit\"");
    };
    expect(await warned("0.14")).toBe(false);
    expect(await warned("0.15")).toBe(true);
  });

  it("has the system buildpacks around it from Platform API 0.15 on", async () => {
    const system = await runner.write(
      "system.toml",
      '[[system.pre.buildpacks]]\nid = "test/provides"\nversion = "1.0.0"\n' +
        '[[system.post.buildpacks]]\nid = "test/requires"\nversion = "1.0.0"\n',
    );
    await detect(orderOf(["passes"]), ["-system", system], { CNB_PLATFORM_API: "0.15" });
    expect(results().group.group.map(({ id }) => id)).toEqual(["test/provides", "test/passes", "test/requires"]);
  });

  it("does without a system buildpack that is optional", async () => {
    const failing = '[[system.pre.buildpacks]]\nid = "test/fails"\nversion = "1.0.0"\n';
    const system = await runner.write("system.toml", `${failing}optional = true\n`);
    const more = ["-system", system];
    const { code } = await detect(orderOf(["passes"]), more, { CNB_PLATFORM_API: "0.15" });
    expect(code).toBe(0);
    expect(results().group.group.map(({ id }) => id)).toEqual(["test/passes"]);
    await runner.write("system.toml", failing);
    expect((await detect(orderOf(["passes"]), more, { CNB_PLATFORM_API: "0.15" })).code).toBe(20);
  });
});

describe("when no group passes", () => {
  it("says what each buildpack said, and exits with 20", async () => {
    const { code, stdout } = await detect(orderOf(["fails"], ["passes", "fails"]));
    expect(code).toBe(20);
    expect(stdout).toContain("======== Output: test/fails@1.0.0 ========\ndoes not apply\n");
    expect(stdout).toContain("pass: test/passes@1.0.0\nfail: test/fails@1.0.0\n");
    expect(stdout).toMatch(/No buildpack groups passed detection\.\n.*Please check that you are running against/);
    expect(stdout).toMatch(/failed to detect: no buildpacks participating\n$/);
    expect(nothingWritten()).toBe(true);
  });

  it("exits with 21 if a buildpack erred", async () => {
    const { code, stdout } = await detect(orderOf(["errs"], ["fails"]));
    expect(code).toBe(21);
    expect(stdout).toContain("======== Output: test/errs@1.0.0 ========\nbroken\n");
    expect(stdout).toContain("err:  test/errs@1.0.0 (3)\n");
    expect(stdout).toMatch(/failed to detect: buildpack\(s\) failed with err\n$/);
    expect(nothingWritten()).toBe(true);
  });
});

describe("wrong inputs", () => {
  it("names file, line and column of a broken order.toml", async () => {
    const { code, stdout } = await detect("[[order]]\n[[order.group]]\nid = test\n");
    expect(stdout).toContain(
      `failed to initialize detector: reading order: failed to read order file: ${runner.dir}/order.toml:3:6: `,
    );
    expect(code).toBe(1);
  });

  it("names the place of what is not UTF-8", async () => {
    const latin1 = Buffer.from('[[order]]\n[[order.group]]\nid = "gr\u00fcn"\n', "latin1");
    await writeFile(join(runner.dir, "order.toml"), latin1);
    const { code, stdout } = await runner.run("detector", args());
    expect(stdout).toContain(`failed to read order file: ${runner.dir}/order.toml:3:9: byte 0xFC is not valid UTF-8\n`);
    expect(code).toBe(1);
  });

  it("names a buildpack that is not in the builder", async () => {
    const { code, stdout } = await detect(orderOf(["nowhere"]));
    expect(stdout).toContain(
      `open ${runner.buildpacksDir}/test_nowhere/1.0.0/buildpack.toml: no such file or directory`,
    );
    expect(code).toBe(1);
  });

  it("exits with 12 for a Buildpack API that is not supported", async () => {
    const { code, stdout } = await detect(orderOf(["old-api"]), ["-no-color"]);
    expect(stdout).toContain(
      "ERROR: failed to set API for Buildpack 'test/old-api@1.0.0': " +
        "buildpack API version '0.2' is incompatible with the lifecycle\n",
    );
    expect(code).toBe(12);
    await runner.write(
      "buildpacks/test_composed/1.0.0/buildpack.toml",
      'api = "0.12"\n[buildpack]\nid = "test/composed"\nname = "composed"\nversion = "1.0.0"\n' +
        '[[order]]\n[[order.group]]\nid = "test/old-api"\nversion = "1.0.0"\n',
    );
    const composed = await detect(orderOf(["composed"]), ["-no-color"]);
    expect(composed.stdout).toContain("ERROR: failed to set API for Buildpack 'test/old-api@1.0.0': ");
    expect(composed.code).toBe(12);
  });

  it("takes no arguments", async () => {
    expect(await detect(orderOf(["passes"]), ["argument"])).toMatchObject({
      code: 3,
      stdout: expect.stringContaining("failed to parse arguments: received unexpected arguments"),
    });
  });

  it("says so when it cannot write its results", async () => {
    const { code, stdout } = await detect(orderOf(["passes"]), ["-group", "/proc/group.toml"]);
    expect(stdout).toContain("failed to write group file: ");
    expect(code).toBe(1);
  });

  it.runIf(process.getuid?.() === 0)("refuses to run as root", async () => {
    await runner.write("order.toml", orderOf(["passes"]));
    const { code, stdout } = await runner.runAsSelf("detector", args());
    expect(stdout).toContain("failed to detect: refusing to run as root");
    expect(code).toBe(1);
  });
});
