// The first half of what reference.bench.mjs measures. Both lifecycles build the same application by turns, phase by phase and by creator: for
// the first time, again with nothing changed, and with one file changed.
import { execFileSync } from "node:child_process";
import { createCipheriv, randomBytes } from "node:crypto";
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { distribution } from "../harness/distribution.ts";
import { startDockerDaemon } from "../harness/docker-daemon.ts";
import { startFaultProxy } from "../harness/fault-proxy.ts";
import { startRegistry } from "../harness/registry.ts";
import { mustRun } from "../harness/run.ts";
import { copyImage } from "../harness/skopeo.ts";
import { writeSmallRunImage } from "../harness/small-run-image.ts";
import { Comparison, type Costs, measure } from "./costs.ts";

interface Scenario {
  /** The application's files. */
  readonly files: number;
  /** Bytes of each, which compress to about a third. */
  readonly fileSize: number;
  readonly buildpacks: number;
  /** Launch and cache layers of each buildpack, each with one file. */
  readonly layers: number;
  /** Bytes of that file, which do not compress. */
  readonly layerSize: number;
  /** How often everything is done; the least of what was measured counts. */
  readonly rounds: number;
  /** Where creator exports to besides the registry. */
  readonly stores?: readonly ("daemon" | "layout")[];
}

const SCENARIOS: Record<string, Scenario> = {
  small: {
    files: 50,
    fileSize: 2000,
    buildpacks: 2,
    layers: 2,
    layerSize: 100_000,
    rounds: 5,
    stores: ["daemon", "layout"],
  },
  "100,000 files": { files: 100_000, fileSize: 4000, buildpacks: 1, layers: 1, layerSize: 1000, rounds: 1 },
  "a layer of 400 MiB": {
    files: 50,
    fileSize: 2000,
    buildpacks: 1,
    layers: 1,
    layerSize: 400 * 2 ** 20,
    rounds: 1,
    stores: ["daemon", "layout"],
  },
  "a layer of 2 GiB": { files: 50, fileSize: 2000, buildpacks: 1, layers: 1, layerSize: 2 ** 31, rounds: 1 },
  "200 layers": { files: 50, fileSize: 2000, buildpacks: 1, layers: 200, layerSize: 1000, rounds: 1 },
  "50 buildpacks": { files: 50, fileSize: 2000, buildpacks: 50, layers: 1, layerSize: 1000, rounds: 1 },
};

const PHASES = ["analyzer", "detector", "restorer", "builder", "exporter"] as const;
const EXECUTABLES = [...PHASES, "rebaser", "creator"];
const USER = 65534;

const [reference = "", ...wanted] = process.argv.slice(2);
const work = mkdtempSync(join(tmpdir(), "phases-bench-"));
chmodSync(work, 0o755);
const registry = await startRegistry();
const proxy = await startFaultProxy(registry.host);
const daemon = await startDockerDaemon();

/** One lifecycle, with the directories and the image that it builds in a round. */
class Contender {
  readonly name: "ours" | "reference";
  readonly #bin: string;
  readonly #dir: string;
  readonly #inputs: string;
  readonly #image: string;

  constructor(name: "ours" | "reference", lifecycle: string, inputs: string, round: string) {
    this.name = name;
    this.#inputs = inputs;
    this.#dir = join(inputs, `${name}-${round}`);
    this.#bin = join(this.#dir, "bin");
    mkdirSync(this.#bin, { recursive: true });
    for (const executable of EXECUTABLES) symlinkSync(lifecycle, join(this.#bin, executable));
    this.#image = `${proxy.host}/${name}/${round}`;
    this.#renew("cache");
  }

  async phases(): Promise<Map<string, Costs>> {
    this.#renew("layers");
    const costs = new Map<string, Costs>();
    const image = `${this.#image}/phases`;
    const at = (path: string) => join(this.#dir, path);
    const user = ["-uid", `${USER}`, "-gid", `${USER}`];
    const layers = ["-layers", at("layers")];
    const app = ["-app", join(this.#inputs, "app")];
    const buildpacks = ["-buildpacks", join(this.#inputs, "buildpacks")];
    const platform = ["-platform", join(this.#inputs, "platform")];
    const flags: Record<(typeof PHASES)[number], string[]> = {
      analyzer: [...layers, ...user, "-run-image", `${proxy.host}/run:1`, image],
      detector: [...layers, ...app, ...buildpacks, ...platform, "-order", join(this.#inputs, "order.toml")],
      restorer: [...layers, ...user, "-cache-dir", at("cache")],
      builder: [...layers, ...app, ...buildpacks, ...platform],
      exporter: [
        ...[...layers, ...app, ...user, "-cache-dir", at("cache")],
        ...["-launcher", join(distribution().executables, "launcher"), image],
      ],
    };
    for (const phase of PHASES) costs.set(phase, await this.#run(phase, flags[phase]));
    return costs;
  }

  creator(): Promise<Costs> {
    this.#renew("layers");
    const flags = this.#creatorFlags("registry");
    return this.#run("creator", [...flags, "-run-image", `${proxy.host}/run:1`, `${this.#image}/creator`]);
  }

  #creatorFlags(store: string): string[] {
    const cache = `cache-${store}`;
    if (!existsSync(join(this.#dir, cache))) this.#renew(cache);
    return [
      ...["-layers", join(this.#dir, "layers"), "-uid", `${USER}`, "-gid", `${USER}`],
      ...["-app", join(this.#inputs, "app"), "-buildpacks", join(this.#inputs, "buildpacks")],
      ...["-platform", join(this.#inputs, "platform"), "-order", join(this.#inputs, "order.toml")],
      ...["-cache-dir", join(this.#dir, cache), "-launcher", join(distribution().executables, "launcher")],
    ];
  }

  /** To a daemon or a layout instead of the registry. */
  creatorTo(store: "daemon" | "layout"): Promise<Costs> {
    this.#renew("layers");
    if (!existsSync(join(this.#dir, "launch-cache"))) this.#renew("launch-cache");
    const layouts = join(this.#dir, "layouts");
    if (store === "layout" && !existsSync(layouts)) {
      cpSync(join(work, "run-1"), join(layouts, "index.docker.io/run/image/latest"), { recursive: true });
      execFileSync("chown", ["-R", `${USER}:${USER}`, layouts]);
    }
    const flags = {
      daemon: ["-daemon", "-launch-cache", join(this.#dir, "launch-cache"), "-run-image", "run/image:1"],
      layout: ["-layout", "-layout-dir", layouts, "-run-image", "run/image"],
    };
    const env = { CNB_PLATFORM_API: "0.12", CNB_EXPERIMENTAL_MODE: "quiet", DOCKER_HOST: daemon.host };
    return this.#run("creator", [...this.#creatorFlags(store), ...flags[store], `${this.name}/${store}`], env);
  }

  rebaser(): Promise<Costs> {
    const flags = ["-uid", `${USER}`, "-gid", `${USER}`, "-report", join(this.#dir, "layers/report.toml"), "-force"];
    return this.#run("rebaser", [...flags, "-run-image", `${proxy.host}/run:2`, `${this.#image}/phases`]);
  }

  /** What it takes to be asked for a version. */
  start(): Promise<Costs> {
    return this.#run("exporter", ["-version"]);
  }

  remove(): void {
    rmSync(this.#dir, { recursive: true, force: true });
  }

  #run(executable: string, flags: readonly string[], env?: Record<string, string>): Promise<Costs> {
    const asUser = ["detector", "builder"].includes(executable)
      ? ["setpriv", `--reuid=${USER}`, `--regid=${USER}`, "--clear-groups", "--"]
      : [];
    return measure([...asUser, join(this.#bin, executable), ...flags], { proxy, directory: work, env });
  }

  #renew(directory: string): void {
    rmSync(join(this.#dir, directory), { recursive: true, force: true });
    mkdirSync(join(this.#dir, directory));
    execFileSync("chown", [`${USER}:${USER}`, join(this.#dir, directory)]);
  }
}

/** Bytes that do not compress. */
function* noise(size: number): Generator<Buffer> {
  const cipher = createCipheriv("aes-256-ctr", randomBytes(32), Buffer.alloc(16));
  const zeros = Buffer.alloc(2 ** 20);
  for (let left = size; left > 0; left -= zeros.length) yield cipher.update(zeros.subarray(0, left));
}

/** The application, the buildpacks and their order, below a directory. */
function writeInputs(inputs: string, scenario: Scenario): void {
  const write = (path: string, content: string | Iterable<Buffer>) => {
    mkdirSync(dirname(join(inputs, path)), { recursive: true });
    if (typeof content === "string") writeFileSync(join(inputs, path), content);
    else for (const chunk of content) writeFileSync(join(inputs, path), chunk, { flag: "a" });
  };
  for (let file = 0; file < scenario.files; file++) {
    const half = randomBytes(scenario.fileSize / 4).toString("hex");
    write(`app/lib-${Math.floor(file / 100)}/file-${file}`, half + " ".repeat(scenario.fileSize - half.length));
  }
  let order = "[[order]]\n";
  for (let number = 0; number < scenario.buildpacks; number++) {
    const id = `bench/buildpack-${number}`;
    const directory = `buildpacks/bench_buildpack-${number}/1`;
    order += `[[order.group]]\nid = "${id}"\nversion = "1"\n`;
    write(`${directory}/buildpack.toml`, `api = "0.10"\n[buildpack]\nid = "${id}"\nversion = "1"\n`);
    write(`${directory}/bin/detect`, "#!/bin/sh\n");
    write(
      `${directory}/bin/build`,
      [
        "#!/bin/sh",
        `for layer in ${inputs}/${directory}/content/*; do`,
        "  name=$1/$" + "{layer##*/}",
        '  [ -e "$name" ] || { mkdir "$name" && ln "$layer" "$name/file"; }',
        `  printf '[types]\\nlaunch = true\\ncache = true\\n' >"$name.toml"`,
        "done\n",
      ].join("\n"),
    );
    for (const program of ["detect", "build"]) chmodSync(join(inputs, directory, "bin", program), 0o755);
    for (let layer = 0; layer < scenario.layers; layer++) {
      write(`${directory}/content/layer-${layer}`, noise(scenario.layerSize));
    }
  }
  write("order.toml", order);
  mkdirSync(join(inputs, "platform"));
  execFileSync("chown", ["-R", `${USER}:${USER}`, inputs]);
}

async function race(title: string, scenario: Scenario): Promise<void> {
  const inputs = mkdtempSync(join(work, "scenario-"));
  chmodSync(inputs, 0o755);
  writeInputs(inputs, scenario);
  const comparison = new Comparison(title);
  for (let round = 0; round < scenario.rounds; round++) {
    const id = `${randomBytes(4).toString("hex")}`;
    const contenders = [
      new Contender("ours", join(distribution().executables, "lifecycle"), inputs, id),
      new Contender("reference", resolve(reference), inputs, id),
    ];
    if (round % 2 === 1) contenders.reverse();
    for (const build of ["first", "again", "changed"]) {
      if (build === "changed") writeFileSync(join(inputs, "app/lib-0/file-0"), randomBytes(1000));
      for (const contender of contenders) {
        for (const [phase, costs] of await contender.phases())
          comparison.note(`${build}: ${phase}`, contender.name, costs);
      }
      for (const contender of contenders)
        comparison.note(`${build}: creator`, contender.name, await contender.creator());
      for (const store of scenario.stores ?? []) {
        for (const contender of contenders) {
          comparison.note(`${build}: creator, ${store}`, contender.name, await contender.creatorTo(store));
        }
      }
    }
    for (const contender of contenders) comparison.note("rebaser", contender.name, await contender.rebaser());
    for (const contender of contenders) comparison.note("-version", contender.name, await contender.start());
    for (const contender of contenders) contender.remove();
  }
  rmSync(inputs, { recursive: true });
  comparison.print();
}

try {
  for (const [tag, patch] of [["1"], ["2", "newer"]] as const) {
    const layout = join(work, `run-${tag}`);
    await writeSmallRunImage(layout, patch);
    await copyImage(`oci:${layout}`, `docker://${registry.host}/run:${tag}`, { to: registry });
    const to = [`--dest-daemon-host=${daemon.host}`, `oci:${layout}`, `docker-daemon:run/image:${tag}`];
    await mustRun("skopeo", ["copy", "--quiet", "--insecure-policy", ...to]);
  }
  for (const [title, scenario] of Object.entries(SCENARIOS)) {
    if (wanted.length === 0 || wanted.includes(title)) await race(title, scenario);
  }
} finally {
  await daemon.stop();
  await proxy.stop();
  await registry.stop();
  rmSync(work, { recursive: true, force: true });
}
