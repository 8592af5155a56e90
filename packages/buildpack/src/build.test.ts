import { closeSync, existsSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type Env, newBuildEnv } from "@lifecycle/env";
import type { BuildpackPlan } from "@lifecycle/spec-types";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type BuildOutputs, build } from "./build.ts";
import { DirStore } from "./dir-store.ts";
import { descriptorOutput } from "./live-output.ts";
import { TestBuilder, type TestModule } from "./test-builder.ts";

let builder: TestBuilder;
let env: Env;

beforeEach(() => {
  builder = new TestBuilder();
  env = newBuildEnv([`PATH=${process.env.PATH}`, "HOME=/home/me", "SECRET=s"]);
});

afterEach(() => {
  builder.remove();
});

const layers = (): string => join(builder.layersDir, "a_b");
const outputPath = (): string => join(builder.dir, "output");
const readOutput = (): string => readFileSync(outputPath(), "utf8");

/** Runs the bash script as bin/build of a buildpack. */
async function buildWith(
  script: string,
  module: TestModule = {},
  plan: BuildpackPlan = { entries: [] },
): Promise<BuildOutputs> {
  builder.buildpack("a/b", { build: script, ...module });
  const fd = openSync(outputPath(), "a");
  try {
    const inputs = {
      ...builder,
      env,
      targetEnv: { CNB_TARGET_OS: "linux" },
      execEnv: "test",
      output: () => descriptorOutput(fd, false),
    };
    return await build(new DirStore(builder).lookupBuildpack("a/b", "1"), plan, inputs, builder.logger);
  } finally {
    closeSync(fd);
  }
}

function variables(): Record<string, string> {
  const entries = readOutput()
    .trim()
    .split("\n")
    .map((line): [string, string] => [line.split("=")[0] ?? "", line.replace(/^[^=]*=/, "")]);
  return Object.fromEntries(entries.filter(([name]) => !["PWD", "SHLVL", "_"].includes(name)));
}

describe("bin/build", () => {
  it("gets its layers directory, the platform directory and its plan as arguments, and the app to work in", async () => {
    await buildWith('echo "$1|$2"; cat "$3"; pwd', {}, { entries: [{ name: "node", metadata: { a: 1n } }] });
    expect(readOutput()).toContain(`${layers()}|${builder.platformDir}\n`);
    expect(readOutput()).toMatch(/\[\[entries\]\]\s+name = "node"\s+\[entries\.metadata\]\s+a = 1\n/);
    expect(readOutput()).toContain(`${builder.appDir}\n`);
  });

  it("sees what its Buildpack API provides and nothing of the lifecycle's own environment", async () => {
    builder.write("platform/env/FROM_PLATFORM", "p");
    builder.write("build-config/env/FROM_OPERATOR", "o");
    await buildWith("env");
    expect(variables()).toEqual({
      CNB_BP_PLAN_PATH: expect.stringMatching(/\/a_b-[^/]+\/a_b\/plan\.toml$/),
      CNB_BUILDPACK_DIR: join(builder.buildpacksDir, "a_b", "1"),
      CNB_EXEC_ENV: "test",
      CNB_LAYERS_DIR: layers(),
      CNB_PLATFORM_DIR: builder.platformDir,
      CNB_TARGET_OS: "linux",
      FROM_OPERATOR: "o",
      FROM_PLATFORM: "p",
      HOME: "/home/me",
      PATH: process.env.PATH,
    });
  });

  it("sees less before Buildpack API 0.8 and with clear-env", async () => {
    builder.write("platform/env/FROM_PLATFORM", "p");
    await buildWith("env", { api: "0.7", info: "clear-env = true" });
    expect(variables()).toEqual({
      CNB_BUILDPACK_DIR: join(builder.buildpacksDir, "a_b", "1"),
      HOME: "/home/me",
      PATH: process.env.PATH,
    });
  });

  it("that fails is an error of the buildpack", async () => {
    await expect(buildWith("exit 3")).rejects.toMatchObject({ name: "BuildpackError", message: "exit status 3" });
    await expect(buildWith("kill -TERM $$")).rejects.toMatchObject({ message: "signal: terminated" });
  });

  it("leaves no plan behind", async () => {
    await buildWith('echo "$3"');
    expect(existsSync(readOutput().trim())).toBe(false);
  });
});

describe("layers", () => {
  it("contribute to the environment of the next buildpack if they are for build", async () => {
    const layer = (name: string, type: string) =>
      `mkdir -p $1/${name}/bin $1/${name}/env $1/${name}/env.build; ` +
      `printf '[types]\\n${type} = true\\n' > $1/${name}.toml; ` +
      `printf ${name} > $1/${name}/env/IN_ENV; printf ${name} > $1/${name}/env.build/IN_ENV_BUILD`;
    await buildWith([layer("for-build", "build"), layer("for-launch", "launch")].join("\n"));
    expect(env.get("PATH")).toBe(`${layers()}/for-build/bin:${process.env.PATH}`);
    expect(env.get("IN_ENV")).toBe("for-build");
    expect(env.get("IN_ENV_BUILD")).toBe("for-build");
  });

  it("that are for nothing are set aside", async () => {
    await buildWith("mkdir $1/unused $1/unknown; touch $1/unused.toml $1/unused/old");
    expect(existsSync(join(layers(), "unused.ignore"))).toBe(true);
    expect(existsSync(join(layers(), "unused"))).toBe(false);
    expect(existsSync(join(layers(), "unknown"))).toBe(true);
    await buildWith("mkdir $1/unused; touch $1/unused/new");
    expect(existsSync(join(layers(), "unused.ignore/new"))).toBe(true);
  });

  it("with malformed metadata are an error that names the file", async () => {
    await expect(buildWith("echo 'x =' > $1/broken.toml")).rejects.toThrow(
      `failed to process buildpack layer: failed to decode layer metadata file: ${layers()}/broken.toml:1:`,
    );
    await expect(buildWith("rm $1/*; echo 'launch = true' > $1/old.toml")).rejects.toThrow(
      `the launch, cache and build flags should be in the types table of ${layers()}/old.toml`,
    );
  });
});

describe("launch.toml", () => {
  const launchToml = (toml: string, module: TestModule = {}) =>
    buildWith(`cat > $1/launch.toml <<'EOF'\n${toml}\nEOF`, module);

  it("gives processes, labels and slices", async () => {
    const { processes, labels, slices } = await launchToml(
      '[[processes]]\ntype = "web"\ncommand = ["run", "it"]\nargs = ["x"]\ndefault = true\nworking-dir = "/w"\n' +
        '[[labels]]\nkey = "k"\nvalue = "v"\n[[slices]]\npaths = ["a/*"]',
    );
    expect(processes).toEqual([
      {
        type: "web",
        command: ["run", "it"],
        args: ["x"],
        direct: true,
        default: true,
        workingDirectory: "/w",
        buildpackId: "a/b",
      },
    ]);
    expect(labels).toEqual([{ key: "k", value: "v" }]);
    expect(slices).toEqual([{ paths: ["a/*"] }]);
  });

  it("may have one default process at most", async () => {
    const process = (type: string) => `[[processes]]\ntype = "${type}"\ncommand = ["x"]\ndefault = true\n`;
    await expect(launchToml(process("a") + process("b"))).rejects.toThrow(
      "multiple default process types aren't allowed",
    );
  });

  it("has no working directory before Buildpack API 0.8", async () => {
    const toml = '[[processes]]\ntype = "web"\ncommand = "x"\nworking-dir = "/w"';
    const { processes } = await launchToml(toml, { api: "0.7" });
    expect(processes[0]).not.toHaveProperty("workingDirectory");
    expect(builder.lines).toContain(
      "warn: Warning: process working directory isn't supported in this buildpack api version. " +
        "Ignoring working directory for process 'web'",
    );
  });
});

describe("build.toml", () => {
  const plan = { entries: [{ name: "one" }, { name: "two" }, { name: "one" }] };
  const unmet = (toml: string) => buildWith(`printf '[[unmet]]\\n${toml}\\n' > $1/build.toml`, {}, plan);

  it("leaves what it does not meet to the next buildpack", async () => {
    expect((await unmet('name = "two"')).metRequires).toEqual(["one", "one"]);
    expect((await buildWith("rm $1/build.toml", {}, plan)).metRequires).toEqual(["one", "two", "one"]);
  });

  it("may only name what was asked for", async () => {
    await expect(unmet('name = "three"')).rejects.toThrow("unmet.name 'three' must match a requested dependency");
    await expect(unmet("")).rejects.toThrow("unmet.name is required");
  });
});

describe("bill of materials", () => {
  const bom = '[[bom]]\nname = "dep"\n[bom.metadata]\nversion = "1"\n';

  it("as a table is deprecated but kept, with its author", async () => {
    const { launchBom, buildBom } = await buildWith(`cat > $1/launch.toml <<'EOF'\n${bom}EOF`);
    expect(launchBom).toMatchObject([{ name: "dep", buildpack: { id: "a/b", version: "1" } }]);
    expect(buildBom).toEqual([]);
    expect(builder.lines.filter((line) => line.startsWith("warn: BOM table is deprecated"))).toHaveLength(1);
  });

  it("as a table has no top level version", async () => {
    await expect(buildWith(`printf '[[bom]]\\nname = "dep"\\nversion = "1"\\n' > $1/build.toml`)).rejects.toThrow(
      "bom entry 'dep' has a top level version which is not allowed.",
    );
  });

  it("as files goes where the layer is used", async () => {
    const script =
      "printf '[types]\\nlaunch = true\\ncache = true\\n' > $1/both.toml; printf '[types]\\nbuild = true\\n' > $1/build-only.toml\n" +
      "for name in both build-only launch build no-layer; do echo {} > $1/$name.sbom.cdx.json; done";
    const { sbomFiles } = await buildWith(script, {
      info: 'sbom-formats = ["application/vnd.cyclonedx+json; version=1.5"]',
    });
    expect(sbomFiles.map(({ layerName, layerType }) => `${layerType}: ${layerName}`)).toEqual([
      "launch: both",
      "cache: both",
      "build: build-only",
      "build: ",
      "launch: ",
    ]);
  });

  it("as files must be in a format that exists and is declared", async () => {
    await expect(buildWith("echo {} > $1/launch.sbom.spdx.json")).rejects.toThrow(
      `validating SBOM file '${layers()}/launch.sbom.spdx.json' for buildpack: 'a/b@1': ` +
        "undeclared SBOM media type: 'application/spdx+json'",
    );
    await expect(buildWith("rm $1/*; echo {} > $1/launch.sbom.xyz.json")).rejects.toThrow(
      `unsupported SBOM file format: '${layers()}/launch.sbom.xyz.json'`,
    );
  });
});
