import { spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { delimiter, join } from "node:path";
import { Apt, debianSource, unpack } from "./apt.mjs";
import { SetupError, say } from "./report.mjs";
import { REPOSITORY } from "./workspace.mjs";

const HOME = join(REPOSITORY, ".toolchain");
/** Raise it when what is fetched, or how it is laid out, changes: every checkout then fetches anew. */
const RECIPE = 1;
const TOOLS = ["gcc", "binutils", "musl-dev", "patchelf"];
const QUICKJS = "qjs-src";
const QUICKJS_SUITE = "sid";
const TRIPLET = "x86_64-linux-gnu";
const MUSL = "x86_64-linux-musl";
const LIBC_FILES = {
  ldso: "ld-linux-x86-64.so.2",
  libc: "libc.so.6",
  libm: "libm.so.6",
  libpthread: "libpthread.so.0",
  libdl: "libdl.so.2",
};
/** Since this one, libc looks up names without further files of its own. */
const OLDEST_LIBC = [2, 34];
const BY_HAND = "apt-get install gcc binutils musl-dev patchelf libc6, and qjs-src of Debian sid or a recent Ubuntu";

/** The description of the native tools: every path is absolute. */
export const TOOLCHAIN_FILE = join(HOME, "toolchain.json");

/**
 * Makes sure that the native tools lie in `.toolchain/` and that `toolchain.json` describes them; immediate when they
 * do. Tools come from the machine's own Debian or Ubuntu mirror, unpacked and never installed. What cannot be fetched
 * is taken from the system if it is there.
 *
 * @returns the content of toolchain.json
 * @throws SetupError, one line, when a tool can be had neither way
 */
export function ensureToolchain() {
  const present = existsSync(TOOLCHAIN_FILE) ? JSON.parse(readFileSync(TOOLCHAIN_FILE, "utf8")) : undefined;
  if (present?.recipe === RECIPE && pathsOf(present).every((path) => existsSync(path))) return present;

  say("fetching the C compiler, musl, patchelf, libc and QuickJS-ng's sources into .toolchain/ (once)");
  mkdirSync(HOME, { recursive: true });
  const toolchain = { recipe: RECIPE, ...fetchOrFind() };
  const written = join(mkdtempSync(join(HOME, "write-")), "toolchain.json");
  writeFileSync(written, `${JSON.stringify(toolchain, undefined, 2)}\n`);
  renameSync(written, TOOLCHAIN_FILE);
  rmSync(join(written, ".."), { recursive: true });
  return toolchain;
}

function fetchOrFind() {
  try {
    return fetchTools();
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    const found = findTools();
    if (found === undefined)
      throw new SetupError(`${error.message}; give apt a working mirror, or install what is missing: ${BY_HAND}`);
    say(`${error.message}; using the tools installed on this system`);
    return found;
  }
}

function fetchTools() {
  const apt = new Apt(join(HOME, "apt"));
  apt.update();
  const packages = [...apt.download([...TOOLS, "libc6"]), ...downloadQuickjs(apt)];
  checkLibc(packages.find(({ name }) => name === "libc6").version);
  const staging = mkdtempSync(join(HOME, "unpack-"));
  // libc apart from the rest: the tools run with the machine's own loader, which takes no other libc than its own.
  for (const { name, file } of packages) unpack(file, join(staging, name === "libc6" ? "libc" : "root"));
  for (const part of ["root", "libc"]) {
    rmSync(join(HOME, part), { recursive: true, force: true });
    renameSync(join(staging, part), join(HOME, part));
  }
  rmSync(staging, { recursive: true });
  rmSync(join(HOME, "apt", "archives"), { recursive: true });

  const root = join(HOME, "root");
  const libraries = [join(root, "usr/lib", TRIPLET), join(root, "lib", TRIPLET)];
  const gcc = wrapper("cc", join(root, "usr/bin/gcc"), libraries, ["-B", `${join(root, "usr/bin")}/`]);
  const versions = packages.map(({ name, version }) => [name, version]).sort(([a], [b]) => (a < b ? -1 : 1));
  return describe({
    cc: [gcc],
    musl: [join(root, "usr/lib", MUSL), join(root, "usr/include", MUSL)],
    quickjsDir: join(root, "usr/src/quickjs-ng"),
    patchelf: wrapper("patchelf", join(root, "usr/bin/patchelf"), libraries, []),
    libcDirs: [join(HOME, "libc/lib", TRIPLET), join(HOME, "libc/usr/lib", TRIPLET)],
    versions: Object.fromEntries(versions),
  });
}

function checkLibc(version) {
  const [major, minor] = version.split(/[.-]/).map(Number);
  if (major > OLDEST_LIBC[0] || (major === OLDEST_LIBC[0] && minor >= OLDEST_LIBC[1])) return;
  throw new SetupError(`libc6 ${version} is too old to be shipped: Debian 12, Ubuntu 22.04 or newer is needed`);
}

function downloadQuickjs(machine) {
  if (machine.offers(QUICKJS)) return machine.download([QUICKJS]);
  for (const mirror of machine.debianMirrors()) {
    const apt = new Apt(join(HOME, "apt", QUICKJS_SUITE), { sources: debianSource(mirror, QUICKJS_SUITE) });
    apt.update();
    if (apt.offers(QUICKJS)) return apt.download([QUICKJS]);
  }
  throw new SetupError(`no package source of this machine offers ${QUICKJS} (QuickJS-ng's C sources)`);
}

function findTools() {
  const gcc = onPath("gcc");
  const patchelf = onPath("patchelf");
  const musl = [join("/usr/lib", MUSL), join("/usr/include", MUSL)];
  const quickjsDir = "/usr/src/quickjs-ng";
  if (gcc === undefined || patchelf === undefined || ![...musl, quickjsDir].every((path) => existsSync(path))) {
    return undefined;
  }
  return describe({
    cc: [gcc],
    musl,
    quickjsDir,
    patchelf,
    libcDirs: [join("/lib", TRIPLET)],
    versions: installedVersions(),
  });
}

function installedVersions() {
  const packages = ["libc6", "musl-dev", QUICKJS];
  const shown = spawnSync("dpkg-query", ["--show", "--showformat", `\${Package} \${Version}\n`, ...packages], {
    encoding: "utf8",
  });
  return Object.fromEntries(
    (shown.stdout ?? "")
      .trimEnd()
      .split("\n")
      .map((line) => line.split(" ")),
  );
}

function describe({ cc, musl: [muslLibDir, muslIncludeDir], quickjsDir, patchelf, libcDirs, versions }) {
  const libc = Object.fromEntries(
    Object.entries(LIBC_FILES).map(([key, file]) => {
      const path = libcDirs.map((dir) => join(dir, file)).find((candidate) => existsSync(candidate));
      if (path === undefined) throw new SetupError(`the libc6 package holds no ${file}`);
      return [key, realpathSync(path)];
    }),
  );
  const toolchain = { cc, muslLibDir, muslIncludeDir, quickjsDir, patchelf, libc, versions };
  const missing = pathsOf(toolchain).find((path) => !existsSync(path));
  if (missing !== undefined) throw new SetupError(`the fetched packages hold no ${missing.slice(HOME.length + 1)}`);
  return toolchain;
}

/** A program that runs with the libraries fetched beside it; its children see them too, as gcc's cc1 and ld must. */
function wrapper(name, program, libraries, args) {
  const path = join(HOME, "bin", name);
  const quoted = [program, ...args].map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(" ");
  mkdirSync(join(HOME, "bin"), { recursive: true });
  writeFileSync(path, `#!/bin/sh\nLD_LIBRARY_PATH='${libraries.join(":")}' exec ${quoted} "$@"\n`);
  chmodSync(path, 0o755);
  return path;
}

function pathsOf({ cc, muslLibDir, muslIncludeDir, quickjsDir, patchelf, libc }) {
  return [
    cc[0],
    `${muslLibDir}/libc.a`,
    `${muslIncludeDir}/stdio.h`,
    `${quickjsDir}/quickjs.c`,
    patchelf,
    ...Object.values(libc),
  ];
}

function onPath(name) {
  const dirs = (process.env.PATH ?? "").split(delimiter).filter((dir) => dir !== "");
  return dirs.map((dir) => join(dir, name)).find((path) => existsSync(path));
}
