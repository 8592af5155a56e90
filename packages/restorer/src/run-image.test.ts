import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { LayoutStore } from "@lifecycle/image";
import { ConsoleLogger } from "@lifecycle/phase";
import { ApiVersion, parseAnalyzed } from "@lifecycle/spec-types";
import { expect, it } from "vitest";
import { updateRunImage } from "./run-image.ts";

it("says where a run image that an extension chose has to be", async () => {
  const layoutDir = mkdtempSync(join(tmpdir(), "layouts-"));
  try {
    const inputs = { platformApi: ApiVersion.parse("0.14"), useDaemon: false, useLayout: true, layoutDir };
    const logger = new ConsoleLogger({ level: "error", color: false }, () => {});
    const analyzed = parseAnalyzed('[run-image]\nreference = "chosen/run"\nimage = "chosen/run"\n', "analyzed.toml");
    const group = { group: [], groupExtensions: [{ id: "test/chooses", version: "1.0.0" }] };
    const images = new LayoutStore({ layoutDir });
    await expect(updateRunImage({ inputs, logger }, { images }, analyzed, group)).rejects.toThrow(
      `failed to get run image chosen/run: not found in ${layoutDir}; copy it there`,
    );
  } finally {
    rmSync(layoutDir, { recursive: true });
  }
});
