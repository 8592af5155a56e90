import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { ApiVersion } from "@lifecycle/spec-types";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { inputsFromEnvironment } from "./inputs.ts";
import { ConsoleLogger } from "./logger.ts";
import { registryImages, resolveInputs } from "./resolve-inputs.ts";
import type { PhaseContext } from "./run-phase.ts";
import { TransferDisplay } from "./transfer-display.ts";

let layersDir: string;
beforeEach(() => {
  layersDir = mkdtempSync(join(tmpdir(), "layers-"));
});
afterEach(() => rmSync(layersDir, { recursive: true }));

function contextOf(env: Record<string, string>): PhaseContext {
  const logger = new ConsoleLogger({ level: "error", color: false }, () => {});
  return {
    inputs: inputsFromEnvironment(ApiVersion.parse("0.13"), { CNB_LAYERS_DIR: layersDir, ...env }),
    env,
    logger,
    transfers: new TransferDisplay(logger, undefined),
    signal: AbortSignal.timeout(60_000),
    verifyBuildpackApi: () => {},
    verifyApisOf: () => {},
    guardExperimental: () => {},
  };
}

describe("the inputs of the exporter", () => {
  const identifier = `/layout/index.docker.io/library/run/latest@sha256:${"0".repeat(64)}`;

  it("take a run image that the analyzer found in a layout", async () => {
    writeFileSync(join(layersDir, "analyzed.toml"), `[run-image]\nreference = "${identifier}"\n`);
    const context = contextOf({ CNB_USE_LAYOUT: "true", CNB_LAYOUT_DIR: "/layout" });
    context.inputs.outputImage = "app";
    await resolveInputs("export", context);
    expect(context.inputs.runImage).toBe(identifier);
    expect(registryImages(context.inputs)).toEqual([]);
  });

  it("refuse one that is no reference when the app image goes to a registry", async () => {
    writeFileSync(join(layersDir, "analyzed.toml"), `[run-image]\nreference = "${identifier}"\n`);
    const context = contextOf({});
    context.inputs.outputImage = "app";
    await expect(resolveInputs("export", context)).rejects.toMatchObject({ exitCode: 3 });
  });

  it("name the directory of layouts, absolute", async () => {
    writeFileSync(join(layersDir, "analyzed.toml"), `[run-image]\nreference = "${identifier}"\n`);
    const context = contextOf({ CNB_USE_LAYOUT: "true", CNB_LAYOUT_DIR: "layouts" });
    context.inputs.outputImage = "app";
    await resolveInputs("export", context);
    expect(context.inputs.layoutDir).toBe(resolve("layouts"));

    context.inputs.layoutDir = "";
    await expect(resolveInputs("export", context)).rejects.toThrow("-layout-dir is required with -layout");
  });
});

it("have no tag where a platform hands on a parameter that was not set", async () => {
  const context = contextOf({});
  context.inputs.outputImage = "registry.example/app";
  context.inputs.runImage = "registry.example/run";
  context.inputs.tags = ["", "registry.example/app:2"];
  await resolveInputs("analyze", context);
  expect(context.inputs.tags).toEqual(["registry.example/app:2"]);
});
