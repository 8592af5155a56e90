import { execFileSync } from "node:child_process";
import { chmodSync, copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

/** Where archives and images put the lifecycle; the portable executable starts from here alone. */
export const INSTALL_DIR = "/cnb/lifecycle";

/** Bun's own executable, from its npm package: the build that asks nothing of an x86-64 processor. */
export const BUN = join(
  dirname(createRequire(import.meta.url).resolve("@oven/bun-linux-x64-baseline/package.json")),
  "bin/bun",
);

/**
 * Variables by which Bun lets its environment run other code than the executable's own (or be Bun itself), wait for a
 * debugger, print requests with their credentials, or write files. They are meant for who develops with Bun; here the
 * environment is an image's. Nothing else switches them off: options of the compiler exist for files only.
 */
const DEVELOPER_VARIABLES = [
  "BUN_BE_BUN",
  "BUN_OPTIONS",
  "BUN_INSPECT",
  "BUN_INSPECT_CONNECT_TO",
  "BUN_INSPECT_PRELOAD",
  "BUN_CONFIG_VERBOSE_FETCH",
  "BUN_BYTECODE_ORDER_OUT",
  "BUN_BYTECODE_ORDER_NAMES_OUT",
  "BUN_BYTECODE_DIGEST_OUT",
];

/**
 * Writes a copy of Bun's executable that does not look at {@link DEVELOPER_VARIABLES}: the first letter of each name in
 * it becomes a control character, which no environment has in a name.
 *
 * @throws Error if a name is not there exactly once, as after an update of Bun
 */
export function writeSealedBun(path) {
  const bytes = readFileSync(BUN);
  for (const name of DEVELOPER_VARIABLES) {
    const asString = Buffer.from(`\0${name}\0`);
    const at = bytes.indexOf(asString);
    if (at < 0 || bytes.indexOf(asString, at + 1) >= 0) {
      throw new Error(`${name} is not in Bun's executable exactly once: see how this version of Bun reads it`);
    }
    bytes[at + 1] = 1;
  }
  writeFileSync(path, bytes);
  chmodSync(path, 0o755);
}

/**
 * Writes a copy of the executable at `sealedBun` that runs with the loaders and the libc beside it in
 * {@link INSTALL_DIR}, and with no other, whatever the image holds and LD_LIBRARY_PATH says.
 */
export function writePortableBun(sealedBun, path, patchelf) {
  copyFileSync(sealedBun, path);
  const loader = join(INSTALL_DIR, "loader");
  execFileSync(patchelf, ["--set-interpreter", loader, "--force-rpath", "--set-rpath", INSTALL_DIR, path]);
}

/**
 * Compiles the modules in `dir`, from `entry` on, into one executable at `path`.
 *
 * @param executable the Bun that becomes the executable's runtime
 */
export function compile(dir, entry, executable, path) {
  const options = [
    "--compile",
    "--minify",
    // An executable reads and evaluates the chunk of the phase that runs, as bytecode, and no other.
    "--splitting",
    "--bytecode",
    "--format=esm",
    // The working directory is an application's source: nothing in it is a setting of ours.
    "--no-compile-autoload-dotenv",
    "--no-compile-autoload-bunfig",
    "--no-compile-autoload-tsconfig",
    "--no-compile-autoload-package-json",
    `--compile-executable-path=${executable}`,
    `--outfile=${path}`,
  ];
  // The compiler writes down what some variables say: it gets none but these.
  const env = { PATH: process.env.PATH ?? "", NODE_ENV: "production" };
  execFileSync(BUN, ["build", ...options, entry], { cwd: dir, env, stdio: ["ignore", "ignore", "inherit"] });
}
