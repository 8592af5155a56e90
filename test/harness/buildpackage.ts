import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { writeScratchImage } from "./scratch-image.ts";

/** A buildpack in a buildpackage. */
export interface PackedBuildpack {
  /** `<id>@<version>` */
  name: string;
  /** What bin/build does, for bash; a composite buildpack has `order` instead. */
  build?: string;
  /** IDs and versions, in one group. */
  order?: string[];
}

/** Writes a buildpack whose bin/detect always passes into a directory. */
export async function writeBuildpackTo(dir: string, { name, build, order }: PackedBuildpack): Promise<void> {
  const [id, version] = name.split("@");
  const elements = (order ?? []).map((each) => {
    const [element, elementVersion] = each.split("@");
    return `[[order.group]]\nid = "${element}"\nversion = "${elementVersion}"\n`;
  });
  await mkdir(join(dir, "bin"), { recursive: true });
  const descriptor = `api = "0.10"\n[buildpack]\nid = "${id}"\nversion = "${version}"\n`;
  await writeFile(join(dir, "buildpack.toml"), descriptor + (order ? `[[order]]\n${elements.join("")}` : ""));
  if (build === undefined) return;
  for (const [program, text] of Object.entries({ detect: "", build })) {
    await writeFile(join(dir, "bin", program), `#!/bin/bash\nset -eu\n${text}\n`);
    await chmod(join(dir, "bin", program), 0o755);
  }
}

/**
 * Writes a buildpackage (distribution.md) as an OCI layout, with a layer for each buildpack; the first is what it is for.
 */
export async function writeBuildpackage(layout: string, buildpacks: PackedBuildpack[]): Promise<void> {
  const roots: string[] = [];
  try {
    for (const buildpack of buildpacks) {
      const [id = "", version = ""] = buildpack.name.split("@");
      const root = await mkdtemp(join(tmpdir(), "packed-"));
      roots.push(root);
      await writeBuildpackTo(join(root, "cnb/buildpacks", id.replaceAll("/", "_"), version), buildpack);
    }
    // the label needs the layers' diff ids, which writing them tells
    const draft = await mkdtemp(join(tmpdir(), "draft-"));
    roots.push(draft);
    await writeScratchImage(draft, { layers: roots.slice(0, buildpacks.length) });
    const diffIds = await diffIdsOf(draft);
    const labels: Record<string, Record<string, object>> = {};
    for (const [index, { name }] of buildpacks.entries()) {
      const [id = "", version = ""] = name.split("@");
      labels[id] = { ...labels[id], [version]: { api: "0.10", layerDiffID: diffIds[index] } };
    }
    const [id, version] = buildpacks[0]?.name.split("@") ?? [];
    await writeScratchImage(layout, {
      layers: roots.slice(0, buildpacks.length),
      config: {
        Labels: {
          "io.buildpacks.buildpackage.metadata": JSON.stringify({ id, version, stacks: [{ id: "*" }] }),
          "io.buildpacks.buildpack.layers": JSON.stringify(labels),
        },
      },
    });
  } finally {
    for (const root of roots) await rm(root, { recursive: true, force: true });
  }
}

async function diffIdsOf(layout: string): Promise<string[]> {
  const blob = async (digest: string) =>
    JSON.parse(await readFile(join(layout, "blobs", digest.replace(":", "/")), "utf8"));
  const index = JSON.parse(await readFile(join(layout, "index.json"), "utf8"));
  const manifest = await blob(index.manifests[0].digest);
  return (await blob(manifest.config.digest)).rootfs.diff_ids;
}
