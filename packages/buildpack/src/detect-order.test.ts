import { readFileSync } from "node:fs";
import { join } from "node:path";
import { newBuildEnv } from "@lifecycle/env";
import { ApiVersion, type GroupElement, type TargetMetadata } from "@lifecycle/spec-types";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { detectOrder } from "./detect-order.ts";
import { DirStore } from "./dir-store.ts";
import { prependExtensions } from "./order.ts";
import { TestBuilder } from "./test-builder.ts";

let builder: TestBuilder;

beforeEach(() => {
  builder = new TestBuilder();
});

afterEach(() => {
  builder.remove();
});

interface Options {
  readonly extensions?: readonly (readonly string[])[];
  readonly platformApi?: string;
  readonly execEnv?: string;
  readonly runImageTarget?: TargetMetadata;
}

/** `id` or `id?` for an optional element. */
function element(text: string): GroupElement {
  const id = text.replace("?", "");
  return { id, version: "1", ...(text.endsWith("?") ? { optional: true } : {}) };
}

function detectIn(groups: readonly (readonly string[])[], options: Options = {}) {
  const order = groups.map((group) => ({ group: group.map(element) }));
  const orderExtensions = (options.extensions ?? []).map((group) => ({ group: group.map(element) }));
  return detectOrder(prependExtensions({ order, orderExtensions }), {
    ...builder,
    store: new DirStore(builder),
    env: newBuildEnv([`PATH=${process.env.PATH}`]),
    execEnv: options.execEnv ?? "",
    platformApi: ApiVersion.parse(options.platformApi ?? "0.15"),
    runImageTarget: options.runImageTarget ?? { os: "linux", arch: "amd64", distro: { name: "d", version: "1" } },
    resolverLogger: builder.logger,
    verifyBuildpackApi: () => {},
  });
}

async function idsOf(groups: readonly (readonly string[])[], options?: Options): Promise<string[]> {
  return (await detectIn(groups, options)).group.group.map(({ id }) => id);
}

/** Groups that were gone through, by what their members came to. */
function verdicts(): string[] {
  return builder.lines
    .join("\n")
    .split("debug: ======== Results ========\n")
    .slice(1)
    .map((group) => [...group.matchAll(/(pass|fail|skip|err): +(\S+)@1$/gm)].map(([, , id]) => id).join(" "));
}

function composite(id: string, ...groups: readonly (readonly string[])[]): void {
  const lines = groups.flatMap((group) => [
    "[[order]]",
    ...group
      .map(element)
      .flatMap(({ id, version, optional }) => [
        "[[order.group]]",
        `id = "${id}"`,
        `version = "${version}"`,
        `optional = ${optional === true}`,
      ]),
  ]);
  builder.buildpack(id, { descriptor: lines.join("\n") });
}

const count = 'echo run >> "$CNB_BUILDPACK_DIR/runs"';

function runsOf(id: string): number {
  return readFileSync(join(builder.buildpacksDir, id, "1", "runs"), "utf8").split("\n").length - 1;
}

describe("order", () => {
  it("gives the first group that passes, with API and homepage of its buildpacks", async () => {
    builder.buildpack("fails", { detect: "exit 100" });
    builder.buildpack("a/b", { detect: "", api: "0.9", info: 'homepage = "https://b"' });
    const { group } = await detectIn([["fails"], ["fails?", "a/b"], ["a/b"]]);
    expect(group).toEqual({
      group: [{ id: "a/b", version: "1", api: "0.9", homepage: "https://b" }],
      groupExtensions: [],
    });
  });

  it("runs the programs of a group in parallel and each of them once", async () => {
    // Each waits until the other has started.
    const meet = (own: string, other: string) =>
      `${count}; touch ${own}; for i in {1..500}; do [ -e ${other} ] && exit 0; sleep 0.01; done; exit 1`;
    builder.buildpack("one", { detect: meet("a", "b") });
    builder.buildpack("two", { detect: meet("b", "a") });
    builder.buildpack("fails", { detect: `${count}; exit 100` });
    expect(
      await idsOf([
        ["one", "two", "fails"],
        ["one", "fails"],
        ["two", "one"],
      ]),
    ).toEqual(["two", "one"]);
    expect([runsOf("one"), runsOf("two"), runsOf("fails")]).toEqual([1, 1, 1]);
  });

  it("tells failure from error", async () => {
    builder.buildpack("fails", { detect: "exit 100" });
    builder.buildpack("errs", { detect: "exit 1" });
    await expect(detectIn([["fails"]])).rejects.toMatchObject({ name: "DetectionError", erred: false });
    await expect(detectIn([["errs"], ["fails"]])).rejects.toMatchObject({ name: "DetectionError", erred: true });
    await expect(detectIn([])).rejects.toMatchObject({ erred: false });
  });

  it("names the file of a buildpack that is not there", async () => {
    await expect(detectIn([["none"]])).rejects.toThrow(
      `open ${builder.buildpacksDir}/none/1/buildpack.toml: no such file or directory`,
    );
  });
});

describe("composite buildpacks", () => {
  beforeEach(() => {
    for (const id of ["a", "b", "c", "d", "e", "f", "g", "h"]) builder.buildpack(id, { detect: "exit 100" });
    builder.buildpack("last", { detect: "exit 0" });
  });

  it("stand for each of their groups, depth-first from the left", async () => {
    composite("O", ["a", "b"], ["c", "d"]);
    composite("P", ["e", "f"], ["g", "h"]);
    await expect(detectIn([["O", "P"]])).rejects.toThrow("no buildpacks participating");
    expect(verdicts()).toEqual(["a b e f", "a b g h", "c d e f", "c d g h"]);
  });

  it("may be left out after their last group if they are optional", async () => {
    composite("O", ["a"], ["b"]);
    expect(await idsOf([["O?", "last"]])).toEqual(["last"]);
    expect(verdicts()).toEqual(["a last", "b last", "last"]);
  });

  it("nest, and what follows them goes with each group", async () => {
    composite("inner", ["a"], ["last"]);
    composite("outer", ["b", "inner"], ["inner"]);
    builder.buildpack("end", { detect: "" });
    expect(await idsOf([["outer", "end"]])).toEqual(["last", "end"]);
    expect(verdicts()).toEqual(["b a end", "b last end", "a end", "last end"]);
  });

  it("leave a buildpack where it came first", async () => {
    composite("O", ["last", "end"]);
    builder.buildpack("end", { detect: "" });
    expect(await idsOf([["end", "O"]])).toEqual(["end", "last"]);
  });

  it("must not refer to themselves", async () => {
    composite("O", ["a"], ["P"]);
    composite("P", ["O"]);
    await expect(detectIn([["O"]])).rejects.toThrow("composite buildpack 'O@1' refers to itself: O@1 -> P@1 -> O@1");
  });

  it("may be named twice in a row without referring to themselves", async () => {
    composite("O", ["last"]);
    composite("P", ["O", "O"]);
    expect(await idsOf([["P", "O"]])).toEqual(["last"]);
  });
});

describe("extensions", () => {
  it("stand before each group and may be left out", async () => {
    builder.extension("unused", { detect: 'printf \'[[provides]]\\nname = "b"\\n\' > "$2"' });
    builder.extension("used");
    builder.write("extensions/used/1/detect/plan.toml", '[[provides]]\nname = "a"\n');
    builder.buildpack("needs", { detect: 'printf \'[[requires]]\\nname = "a"\\n\' > "$2"' });
    const { group, plan } = await detectIn([["needs"]], { extensions: [["unused", "used"]] });
    expect(group).toEqual({
      group: [{ id: "needs", version: "1", api: "0.12" }],
      groupExtensions: [{ id: "used", version: "1", api: "0.12" }],
    });
    expect(plan.entries).toEqual([
      { providers: [{ id: "used", version: "1", extension: true }], requires: [{ name: "a" }] },
    ]);
  });

  it("may do without all of their groups", async () => {
    builder.extension("fails", { detect: "exit 100" });
    builder.buildpack("passes", { detect: "" });
    expect(await idsOf([["passes"]], { extensions: [["fails"]] })).toEqual(["passes"]);
  });

  it("must not require", async () => {
    builder.extension("wrong");
    builder.write("extensions/wrong/1/detect/plan.toml", '[[requires]]\nname = "a"\n');
    builder.buildpack("passes", { detect: "" });
    expect(await idsOf([["passes"]], { extensions: [["wrong"]] })).toEqual(["passes"]);
    expect(builder.lines).toContain('info: extension wrong outputs "requires" which is not allowed');
  });
});

describe("targets", () => {
  const windows = '[[targets]]\nos = "windows"\n';

  it("that do not match make a required buildpack err", async () => {
    builder.buildpack("windows", { detect: "", descriptor: windows });
    await expect(detectIn([["windows"]])).rejects.toMatchObject({ erred: true });
    expect(builder.lines).toContain("debug: Checking for match against descriptor: {windows   []}");
    expect(builder.lines).toContain(
      "info: unable to satisfy target os/arch constraints; run image: " +
        '{"os":"linux","arch":"amd64","distro":{"name":"d","version":"1"}}, buildpack: [{"os":"windows","arch":""}]',
    );
  });

  it("are not asked before Platform API 0.12", async () => {
    builder.buildpack("windows", { detect: "", descriptor: windows });
    expect(await idsOf([["windows"]], { platformApi: "0.11" })).toEqual(["windows"]);
  });

  it("follow from bin/build or the stacks if there are none", async () => {
    builder.buildpack("linux", { detect: "", build: "" });
    builder.buildpack("any", { detect: "", api: "0.9", descriptor: '[[stacks]]\nid = "*"\n' });
    const runImageTarget = { os: "windows", arch: "amd64", distro: { name: "", version: "10" } };
    expect(await idsOf([["linux"], ["any"]], { runImageTarget })).toEqual(["any"]);
  });
});

describe("execution environments", () => {
  beforeEach(() => {
    builder.buildpack("for-test", { detect: "", info: 'exec-env = ["test"]' });
    builder.buildpack("for-all", { detect: "", info: 'exec-env = ["*"]' });
    builder.buildpack("old", { detect: "", api: "0.11", info: 'exec-env = ["test"]' });
  });

  it("that a buildpack is not for take it out of the group", async () => {
    expect(await idsOf([["for-test", "for-all", "old"]], { execEnv: "production" })).toEqual(["for-all", "old"]);
    expect(builder.lines).toContain(
      "debug: Skipping for-test@1 due to execution environment mismatch; " +
        "current: production, buildpack supports: [test]",
    );
    await expect(detectIn([["for-test"]], { execEnv: "production" })).rejects.toMatchObject({ erred: false });
    expect(await idsOf([["for-test"]], { execEnv: "test" })).toEqual(["for-test"]);
  });

  it("are not asked before Platform API 0.15", async () => {
    expect(await idsOf([["for-test"]], { execEnv: "production", platformApi: "0.14" })).toEqual(["for-test"]);
  });
});

describe("bin/detect", () => {
  async function envOf(info: string, api: string): Promise<Record<string, string>> {
    builder.buildpack("env", { api, info, detect: 'env > "$CNB_BUILDPACK_DIR/env"' });
    builder.write("platform/env/FROM_PLATFORM", "p");
    builder.write("build-config/env/FROM_OPERATOR", "o");
    await detectIn([["env"]], { execEnv: "test" });
    const lines = readFileSync(join(builder.buildpacksDir, "env", "1", "env"), "utf8")
      .trim()
      .split("\n");
    const entries = lines.map((line): [string, string] => [line.split("=")[0] ?? "", line.replace(/^[^=]*=/, "")]);
    return Object.fromEntries(entries.filter(([name]) => !["PATH", "PWD", "SHLVL", "_"].includes(name)));
  }

  it("sees the platform's and the operator's variables and those of its Buildpack API", async () => {
    const dir = join(builder.buildpacksDir, "env", "1");
    expect(await envOf("", "0.12")).toEqual({
      CNB_BUILDPACK_DIR: dir,
      CNB_BUILD_PLAN_PATH: expect.stringMatching(/\/plan\.[^/]+\/plan\.toml$/),
      CNB_EXEC_ENV: "test",
      CNB_PLATFORM_DIR: builder.platformDir,
      CNB_TARGET_ARCH: "amd64",
      CNB_TARGET_DISTRO_NAME: "d",
      CNB_TARGET_DISTRO_VERSION: "1",
      CNB_TARGET_OS: "linux",
      FROM_OPERATOR: "o",
      FROM_PLATFORM: "p",
    });
    expect(await envOf("clear-env = true", "0.7")).toEqual({ CNB_BUILDPACK_DIR: dir, FROM_OPERATOR: "o" });
  });

  it("errs if it leaves a plan that cannot be used", async () => {
    builder.buildpack("broken", { detect: 'echo "x =" > "$2"' });
    builder.buildpack("removed", { detect: 'rm "$2"' });
    builder.buildpack("pipe", { detect: 'rm "$2"; mkfifo "$2"' });
    builder.buildpack("version", {
      detect: 'printf \'[[provides]]\\nname = "x"\\n[[requires]]\\nname = "x"\\nversion = "1"\\n\' > "$2"',
    });
    await expect(detectIn([["broken"], ["removed"], ["pipe"], ["version"]])).rejects.toMatchObject({ erred: true });
    const errors = builder.lines.filter((_, index) => builder.lines[index - 1]?.includes("==== Error:"));
    expect(errors).toEqual([
      expect.stringMatching(/^info: .*plan\.toml:1:\d+: /),
      expect.stringMatching(/^info: open .*plan\.toml: no such file or directory$/),
      expect.stringMatching(/^info: .*plan\.toml: not a regular file$/),
      'info: buildpack version has a "version" key which is not supported. "metadata.version" should be used instead',
    ]);
  });
});
