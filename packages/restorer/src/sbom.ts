import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { escapeId } from "@lifecycle/buildpack";
import type { GroupElement } from "@lifecycle/spec-types";

/**
 * Gives each buildpack the SBOM files of its layers back: `<layers>/sbom/<cache|launch>/<buildpack>/<layer>/sbom.*.json`
 * becomes `<layers>/<buildpack>/<layer>.sbom.*.json`. `<layers>/sbom` is removed afterwards.
 */
export function restoreSbomFiles(layersDir: string, group: readonly GroupElement[]): void {
  const restored = join(layersDir, "sbom");
  try {
    for (const kind of ["cache", "launch"]) {
      for (const { id } of group) {
        const directory = escapeId(id);
        // without a layer of its own restored, a buildpack has no use for its SBOM files
        if (existsSync(join(layersDir, directory))) {
          restoreBuildpack(join(restored, kind, directory), join(layersDir, directory));
        }
      }
    }
  } finally {
    rmSync(restored, { recursive: true, force: true });
  }
}

function restoreBuildpack(from: string, to: string): void {
  for (const layer of directoriesIn(from)) {
    for (const file of readdirSync(join(from, layer), { withFileTypes: true })) {
      if (file.isFile() && /^sbom.+json$/.test(file.name)) {
        writeFileSync(join(to, `${layer}.${file.name}`), readFileSync(join(from, layer, file.name)));
      }
    }
  }
}

function directoriesIn(path: string): string[] {
  if (!existsSync(path)) {
    return [];
  }
  return readdirSync(path, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name);
}
