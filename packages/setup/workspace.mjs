import { spawnSync } from "node:child_process";
import { accessSync, constants, existsSync, readFileSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { SetupError, say } from "./report.mjs";

/** The top of the repository. */
export const REPOSITORY = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

const MANIFEST = JSON.parse(readFileSync(join(REPOSITORY, "package.json"), "utf8"));

/** What is written to, by its path in the repository. */
const WRITTEN = [".", ".toolchain", ".turbo", "node_modules", "dist", "dist/linux-amd64", "dist/demo", "dist/stack"];

/** Says so if this machine cannot build or run the project. Throws SetupError. */
export function checkMachine() {
  const oldest = Number(/\d+/.exec(MANIFEST.engines.node)?.[0]);
  if (Number.parseInt(process.versions.node, 10) < oldest) {
    throw new SetupError(`Node.js ${process.versions.node} is too old: install Node.js ${oldest} or newer`);
  }
  if (process.platform !== "linux" || process.arch !== "x64") {
    throw new SetupError(`the lifecycle is built on linux x64; this is ${process.platform} ${process.arch}`);
  }
}

/** Says so if the checkout, or what an earlier build put there, is another user's, such as root's. Throws SetupError. */
export function checkWritable() {
  for (const name of WRITTEN) {
    const path = join(REPOSITORY, name);
    try {
      if (existsSync(path)) accessSync(path, constants.W_OK);
    } catch {
      const whose = `it belongs to the user ${statSync(path).uid}, and you are ${process.getuid()}`;
      throw new SetupError(
        `cannot write to ${path}: ${whose}; run this as that user, or: chown -R ${process.getuid()} ${REPOSITORY}`,
      );
    }
  }
}

/**
 * Brings pnpm at the version that package.json pins, into `.toolchain/` and nowhere else.
 *
 * @returns the environment in which it, and what it installs, is found
 */
export function withPnpm() {
  const [, version] = /^pnpm@([^+]+)/.exec(MANIFEST.packageManager) ?? [];
  const home = join(REPOSITORY, ".toolchain", `pnpm-${version}`);
  const bin = join(home, "node_modules/.bin");
  if (!existsSync(join(bin, "pnpm"))) {
    say(`fetching pnpm ${version} into .toolchain/ (once)`);
    const args = ["install", "--prefix", home, "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"];
    const npm = process.env.npm_execpath?.endsWith("npm-cli.js")
      ? [process.execPath, process.env.npm_execpath]
      : ["npm"];
    run([...npm, ...args, `pnpm@${version}`], process.env, `fetch pnpm ${version}: is the npm registry reachable?`);
  }
  return {
    ...process.env,
    PATH: [bin, join(REPOSITORY, "node_modules/.bin"), process.env.PATH].join(":"),
    TURBO_TELEMETRY_DISABLED: "1",
    TURBO_NO_UPDATE_NOTIFIER: "1",
    DO_NOT_TRACK: "1",
    npm_config_update_notifier: "false",
  };
}

/** Installs the workspaces' dependencies as the lockfile has them, unless they are. */
export function ensureDependencies(env) {
  const wanted = readFileSync(join(REPOSITORY, "pnpm-lock.yaml"));
  const installed = join(REPOSITORY, "node_modules/.pnpm/lock.yaml");
  if (existsSync(installed) && readFileSync(installed).equals(wanted)) return;
  run(
    ["pnpm", "install", "--frozen-lockfile", "--config.confirmModulesPurge=false"],
    env,
    "install the dependencies: is the npm registry reachable, and pnpm-lock.yaml up to date?",
  );
}

/**
 * Runs a command at the top of the repository, its output shown as it comes.
 *
 * @param purpose for the message: "cannot <purpose>"
 * @throws SetupError when it fails, with its exit code in the message
 */
export function run([command, ...args], env, purpose) {
  const { status, signal, error } = spawnSync(command, args, { cwd: REPOSITORY, env, stdio: "inherit" });
  if (status === 0) return;
  const how = error?.message ?? (signal === null ? `exit code ${status}` : signal);
  throw new SetupError(`cannot ${purpose} (${how})`);
}
