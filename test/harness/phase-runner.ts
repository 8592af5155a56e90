import { type ChildProcess, spawn } from "node:child_process";
import { chmod, chown, cp, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { distribution } from "./distribution.ts";
import { type Outcome, run } from "./run.ts";

const FIXTURES = fileURLToPath(new URL("../fixtures", import.meta.url));

/** Whom phases run as when the tests run as root. */
const USER = 1000;

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

  private constructor(dir: string) {
    this.dir = dir;
    this.buildpacksDir = join(dir, "buildpacks");
    this.appDir = join(dir, "app");
    this.layersDir = join(dir, "layers");
    this.platformDir = join(dir, "platform");
  }

  /** @param executables which of them are to be run */
  static async create(...executables: readonly string[]): Promise<PhaseRunner> {
    const runner = new PhaseRunner(await mkdtemp(join(tmpdir(), "phase-")));
    await chmod(runner.dir, 0o755);
    await cp(join(distribution().executables, "lifecycle"), join(runner.dir, "lifecycle"));
    for (const name of executables) await symlink("lifecycle", join(runner.dir, name));
    await cp(join(FIXTURES, "buildpacks"), runner.buildpacksDir, { recursive: true });
    for (const dir of [runner.appDir, runner.layersDir, runner.platformDir]) await mkdir(dir);
    return runner;
  }

  /** Writes a file below the runner's directory. */
  async write(path: string, content: string): Promise<string> {
    const file = join(this.dir, path);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, content);
    return file;
  }

  /** Empties the layers directory. */
  async reset(): Promise<void> {
    await rm(this.layersDir, { recursive: true, force: true });
    await mkdir(this.layersDir);
    if (process.getuid?.() === 0) await chown(this.layersDir, USER, USER);
  }

  /** Runs an executable to its end, with a Platform API and no environment but PATH and `env`. */
  run(name: string, args: readonly string[], env: Record<string, string> = {}): Promise<Outcome> {
    const [program, ...rest] = this.#command(name, args);
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

  async remove(): Promise<void> {
    await rm(this.dir, { recursive: true, force: true });
  }

  #environment(env: Record<string, string>): Record<string, string> {
    return { PATH: process.env.PATH ?? "", CNB_PLATFORM_API: "0.13", ...env };
  }

  #command(name: string, args: readonly string[]): [string, ...string[]] {
    const command: [string, ...string[]] = [join(this.dir, name), ...args];
    if (process.getuid?.() !== 0) return command;
    return ["setpriv", `--reuid=${USER}`, `--regid=${USER}`, "--clear-groups", "--", ...command];
  }
}
