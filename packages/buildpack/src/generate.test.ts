import { chmodSync, closeSync, existsSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { newBuildEnv } from "@lifecycle/env";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { DirStore } from "./dir-store.ts";
import { ExtensionError, generate } from "./generate.ts";
import { descriptorOutput } from "./live-output.ts";
import { TestBuilder, type TestModule } from "./test-builder.ts";

let builder: TestBuilder;

beforeEach(() => {
  builder = new TestBuilder();
  builder.write("platform/env/FROM_PLATFORM", "yes");
});

afterEach(() => builder.remove());

const outputDir = () => join(builder.dir, "generated/a_b");
const output = () => readFileSync(join(builder.dir, "output"), "utf8");

/** Runs the extension `a/b`; gives the directory of its results. */
async function generateWith(module: TestModule): Promise<string> {
  builder.extension("a/b", module);
  const fd = openSync(join(builder.dir, "output"), "a");
  try {
    const env = newBuildEnv([`PATH=${process.env.PATH}`, "SECRET=s"]);
    const targetEnv = { CNB_TARGET_OS: "linux" };
    const inputs = { ...builder, env, targetEnv, output: () => descriptorOutput(fd, false) };
    const extension = new DirStore(builder).lookupExtension("a/b", "1");
    return await generate(extension, { entries: [{ name: "dep" }] }, outputDir(), inputs, builder.logger);
  } finally {
    closeSync(fd);
  }
}

describe("bin/generate", () => {
  it("gets its output directory, the platform directory and its plan as arguments, and the app to work in", async () => {
    const dir = await generateWith({ generate: 'echo "$1|$2"; cat "$3"; pwd; echo error >&2; touch $1/made' });
    expect(dir).toBe(outputDir());
    const plan = '[[entries]]\n  name = "dep"\n';
    expect(output()).toBe(`${outputDir()}|${builder.platformDir}\n${plan}${builder.appDir}\nerror\n`);
    expect(existsSync(join(outputDir(), "made"))).toBe(true);
  });

  it("is told the same, and the target, in its environment", async () => {
    const extension = join(builder.extensionsDir, "a_b/1");
    await generateWith({
      generate: 'test "$CNB_BP_PLAN_PATH" = "$3" && env | grep -E "CNB_[EOPT]|FROM|SECRET" | sort',
    });
    expect(output()).toBe(
      `CNB_EXTENSION_DIR=${extension}\nCNB_OUTPUT_DIR=${outputDir()}\nCNB_PLATFORM_DIR=${builder.platformDir}\n` +
        "CNB_TARGET_OS=linux\nFROM_PLATFORM=yes\n",
    );
  });

  it("is told no target before Buildpack API 0.10, and nothing of the platform's if it wants a clear environment", async () => {
    await generateWith({ api: "0.9", info: "clear-env = true", generate: 'env | grep -E "TARGET|FROM" || echo none' });
    expect(output()).toBe("none\n");
  });

  it("that fails or cannot be started is the extension's error", async () => {
    await expect(generateWith({ generate: "exit 3" })).rejects.toThrow(new ExtensionError("exit status 3"));
    chmodSync(join(builder.extensionsDir, "a_b/1/bin/generate"), 0o644);
    const extension = generateWith({ generate: undefined });
    await expect(extension).rejects.toThrow(/^fork\/exec .*\/bin\/generate: permission denied$/);
    await expect(extension).rejects.toBeInstanceOf(ExtensionError);
  });
});

it("an extension without bin/generate brings its output along", async () => {
  expect(await generateWith({})).toBe(join(builder.extensionsDir, "a_b/1/generate"));
});
