import { type ChildProcess, spawn } from "node:child_process";
import { chmod, chown, cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { distribution } from "./distribution.ts";
import { withKanikoVolume } from "./kaniko-volume.ts";
import { type Outcome, run } from "./run.ts";
import { onSmallDisk } from "./small-disk.ts";

const IS_ROOT = process.getuid?.() === 0;
const FIXTURES = fileURLToPath(new URL("../fixtures", import.meta.url));

/** Whom phases run as: when root runs the tests nobody, whom every /etc/passwd has, else who runs them. */
export const PHASE_USER = IS_ROOT
  ? ({ uid: 65534, gid: 65534 } as const)
  : { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };

/** A buildpack of version 1.0.0, whose programs are bash. */
export interface SmallBuildpack {
  /** Its Buildpack API; the newest when absent. */
  api?: string;
  /** Further lines of its buildpack.toml. */
  descriptor?: string;
  /** What bin/detect does; nothing, which passes, when absent. */
  detect?: string;
  /** What bin/build does; nothing when absent. `$1` is its layers directory, `$2` the platform directory. */
  build?: string;
}

/**
 * Runs executables on this machine as an unprivileged user, in directories that such a user can reach: the checkout may
 * lie in root's home.
 */
export class PhaseRunner {
  /** Holds everything below. */
  readonly dir: string;
  readonly buildpacksDir: string;
  readonly appDir: string;
  /** Belongs to the user. */
  readonly layersDir: string;
  readonly platformDir: string;
  /** Belongs to the user. */
  readonly cacheDir: string;
  /** `TMPDIR` of everything that runs. */
  readonly tempDir: string;

  private constructor(dir: string) {
    this.dir = dir;
    this.buildpacksDir = join(dir, "buildpacks");
    this.appDir = join(dir, "app");
    this.layersDir = join(dir, "layers");
    this.platformDir = join(dir, "platform");
    this.cacheDir = join(dir, "cache");
    this.tempDir = join(dir, "tmp");
  }

  /** @param executables which of them are to be run */
  static async create(...executables: readonly string[]): Promise<PhaseRunner> {
    const runner = new PhaseRunner(await mkdtemp(join(tmpdir(), "phase-")));
    await chmod(runner.dir, 0o755);
    for (const name of ["lifecycle", "launcher"]) {
      await cp(join(distribution().executables, name), join(runner.dir, name));
    }
    for (const name of executables) await symlink("lifecycle", join(runner.dir, name));
    await cp(join(FIXTURES, "buildpacks"), runner.buildpacksDir, { recursive: true });
    for (const dir of [runner.appDir, runner.platformDir, runner.tempDir]) await mkdir(dir);
    await chmod(runner.tempDir, 0o1777);
    await runner.reset();
    return runner;
  }

  /** Writes a file below the runner's directory. */
  async write(path: string, content: string): Promise<string> {
    const file = join(this.dir, path);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, content);
    return file;
  }

  /** Writes a buildpack and returns its directory. */
  async writeBuildpack(id: string, { api = "0.12", descriptor = "", ...programs }: SmallBuildpack): Promise<string> {
    const path = `buildpacks/${id.replaceAll("/", "_")}/1.0.0`;
    const toml = `api = "${api}"\n[buildpack]\nid = "${id}"\nname = "${id}"\nversion = "1.0.0"\n${descriptor}`;
    await this.write(`${path}/buildpack.toml`, toml);
    for (const name of ["detect", "build"] as const) {
      const program = await this.write(`${path}/bin/${name}`, `#!/bin/bash\nset -eu\n${programs[name] ?? ""}\n`);
      await chmod(program, 0o755);
    }
    return join(this.dir, path);
  }

  /** Writes an order.toml of one group and returns its path. */
  writeOrder(...ids: readonly string[]): Promise<string> {
    const group = ids.map((id) => `[[order.group]]\nid = "${id}"\nversion = "1.0.0"\n`);
    return this.write("order.toml", `[[order]]\n${group.join("")}`);
  }

  /** The flags that tell creator where everything is, as the user, with the order.toml of `writeOrder`. */
  creatorFlags(): string[] {
    return [
      ...["-app", this.appDir, "-buildpacks", this.buildpacksDir, "-layers", this.layersDir],
      ...["-platform", this.platformDir, "-order", join(this.dir, "order.toml")],
      ...["-launcher", join(this.dir, "launcher"), "-uid", `${PHASE_USER.uid}`, "-gid", `${PHASE_USER.gid}`],
    ];
  }

  /** Empties layers directory and cache. */
  async reset(): Promise<void> {
    await this.#renew(this.layersDir);
    await this.#renew(this.cacheDir);
  }

  /** Empties the layers directory, as a platform does before each build. */
  async resetLayers(): Promise<void> {
    await this.#renew(this.layersDir);
  }

  /** Files that were left in `TMPDIR`, and temporary names left in the layers directory and the cache. */
  async leftovers(): Promise<string[]> {
    const temporary = await readdir(this.tempDir);
    for (const directory of [this.layersDir, this.cacheDir]) {
      const names = await readdir(directory, { recursive: true });
      temporary.push(...names.filter((name) => /\.tmp|\.unfinished|staging\/|backup/.test(name)));
    }
    return temporary;
  }

  /** Runs an executable to its end, with a Platform API and no environment but PATH and `env`. */
  run(name: string, args: readonly string[], env: Record<string, string> = {}): Promise<Outcome> {
    const [program, ...rest] = this.#command(name, args);
    return run(program, rest, { cwd: this.dir, env: this.#environment(env) });
  }

  /**
   * Runs an executable with a disk of its own, as root, at a directory of the runner's.
   *
   * @param directory holds what is copied to the disk before
   * @param size bytes
   * @returns also the files that are on the disk in the end: paths below the directory, sorted
   */
  async runOnSmallDisk(
    { directory, size }: { directory: string; size: number },
    name: string,
    args: readonly string[],
    env: Record<string, string> = {},
  ): Promise<Outcome & { files: string[] }> {
    const list = join(this.dir, "files-on-disk");
    const script = 'cd "$1"; list=$2; shift 2; "$@"; code=$?; find . -type f | sort >"$list"; exit $code';
    const inner = ["sh", "-c", script, "sh", directory, list, ...this.#command(name, args)];
    const [program = "", ...rest] = onSmallDisk(directory, size, inner);
    const outcome = await run(program, rest, { cwd: this.dir, env: this.#environment(env) });
    return { ...outcome, files: (await readFile(list, "utf8")).split("\n").filter((path) => path !== "") };
  }

  /** Runs an executable with that directory, or with none, at /kaniko; needs root. */
  runWithKaniko(
    kaniko: string | undefined,
    name: string,
    args: readonly string[],
    env: Record<string, string> = {},
  ): Promise<Outcome> {
    const command = withKanikoVolume(join(this.dir, "root"), kaniko, this.#command(name, args));
    const [program = "", ...rest] = command;
    return run(program, rest, { cwd: this.dir, env: this.#environment(env) });
  }

  /** Runs an executable as the user who runs the tests, which may be root. */
  runAsSelf(name: string, args: readonly string[], env: Record<string, string> = {}): Promise<Outcome> {
    return run(join(this.dir, name), [...args], { cwd: this.dir, env: this.#environment(env) });
  }

  /** Starts an executable, with its standard output in a pipe. */
  start(name: string, args: readonly string[], env: Record<string, string> = {}): ChildProcess {
    const [program, ...rest] = this.#command(name, args);
    return spawn(program, rest, { cwd: this.dir, env: this.#environment(env), stdio: ["ignore", "pipe", "inherit"] });
  }

  /** Makes a directory empty, and the user's. */
  async #renew(directory: string): Promise<void> {
    await rm(directory, { recursive: true, force: true });
    await mkdir(directory);
    if (IS_ROOT) await chown(directory, PHASE_USER.uid, PHASE_USER.gid);
  }

  async remove(): Promise<void> {
    await rm(this.dir, { recursive: true, force: true });
  }

  #environment(env: Record<string, string>): Record<string, string> {
    return { PATH: process.env.PATH ?? "", CNB_PLATFORM_API: "0.13", TMPDIR: this.tempDir, ...env };
  }

  #command(name: string, args: readonly string[]): [string, ...string[]] {
    const command: [string, ...string[]] = [join(this.dir, name), ...args];
    if (!IS_ROOT) return command;
    const { uid, gid } = PHASE_USER;
    return ["setpriv", `--reuid=${uid}`, `--regid=${gid}`, "--clear-groups", "--", ...command];
  }
}
