import { createCipheriv, createHash } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { PHASE_USER, PhaseRunner } from "./phase-runner.ts";

/** The buildpack that made the layers. */
const BUILDPACK = { id: "test/faults", directory: "test_faults" };

/** An application after its build: everything that the exporter needs, and nothing that it would have to wait for. */
export interface BuiltApp {
  readonly runner: PhaseRunner;
  /** The exporter's arguments but for the names of the image. */
  readonly exportArgs: readonly string[];
  /** Replaces the application's only file. */
  change(content: string): Promise<void>;
  remove(): Promise<void>;
}

/**
 * Puts a built application together.
 * @param runImage its run image's name, to be found where the image will be exported to
 * @param layers bytes that the buildpack's launch layers have, by the layers' names; the content does not compress and
 *   depends on the names alone
 */
export async function makeBuiltApp(runImage: string, layers: Record<string, number>): Promise<BuiltApp> {
  const runner = await PhaseRunner.create("exporter");
  const { api, id, version } = { ...BUILDPACK, api: "0.10", version: "1" };
  const buildpack = `id = "${id}"\nversion = "${version}"\napi = "${api}"\n`;
  await runner.write("layers/group.toml", `[[group]]\n${buildpack}`);
  await runner.write(
    "layers/config/metadata.toml",
    `[[buildpacks]]\n${buildpack}\n[[processes]]\ntype = "web"\ncommand = ["serve"]\ndirect = true\nbuildpack-id = "${id}"\n`,
  );
  await runner.write("layers/analyzed.toml", `[run-image]\nreference = "${runImage}"\n`);
  const run = await runner.write("run.toml", `[[images]]\nimage = "${runImage}"\n`);
  for (const [name, size] of Object.entries(layers)) {
    await runner.write(`layers/${BUILDPACK.directory}/${name}.toml`, "[types]\nlaunch = true\n");
    const directory = join(runner.layersDir, BUILDPACK.directory, name);
    await mkdir(directory);
    await writeFile(join(directory, "content"), noise(name, size));
  }
  const change = async (content: string) => {
    await runner.write("app/file", content);
  };
  await change("the application");
  return {
    runner,
    exportArgs: [
      ...["-app", runner.appDir, "-layers", runner.layersDir, "-run", run],
      ...["-launcher", join(runner.dir, "launcher"), "-uid", `${PHASE_USER.uid}`, "-gid", `${PHASE_USER.gid}`],
    ],
    change,
    remove: () => runner.remove(),
  };
}

/** Bytes that do not compress, the same for the same seed. */
function* noise(seed: string, size: number): Generator<Buffer> {
  const cipher = createCipheriv("aes-256-ctr", createHash("sha256").update(seed).digest(), Buffer.alloc(16));
  const zeros = Buffer.alloc(1024 * 1024);
  for (let left = size; left > 0; left -= zeros.length) yield cipher.update(zeros.subarray(0, left));
}

/** Numbers from 0 up to, not including, 1: the same for the same seed. */
export function seededRandom(seed: number): () => number {
  let state = seed;
  return () => {
    // Mulberry32.
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
