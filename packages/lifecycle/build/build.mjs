/**
 * Puts the lifecycle together, from the bundles of the executables' packages and the launcher, into `dist/` (or into the
 * folder that is its argument):
 *
 *   host/lifecycle   the executable as it runs on the build machine
 *   portable/        `lifecycle.toml` and `lifecycle/` as they are in the archive
 *   lifecycle-v<version>+linux.x86-64.tgz
 *
 * `place.mjs` puts them where users look for them. The bytes depend on the sources, the toolchain and Node alone.
 */
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { writeArchive } from "./archive.mjs";
import { BUN, compile, writePortableBun, writeSealedBun } from "./bun.mjs";
import { descriptor } from "./descriptor.mjs";
import { compileLoader } from "./loader.mjs";
import { importTypeScript, writeModules } from "./modules.mjs";
import { bundledPackages, distributionComponent, npmComponent, sboms, sortedComponents } from "./sbom.mjs";

/** What Bun's executable links against: file name in the archive, key in toolchain.json. */
const LIBC_FILES = {
  "ld-linux-x86-64.so.2": "ldso",
  "libc.so.6": "libc",
  "libdl.so.2": "libdl",
  "libm.so.6": "libm",
  "libpthread.so.0": "libpthread",
};

const home = fileURLToPath(new URL("..", import.meta.url));
const packages = join(home, "..");
const launcherDist = join(packages, "launcher/dist");
const toolchain = readJson(process.env.LIFECYCLE_TOOLCHAIN ?? join(packages, "../.toolchain/toolchain.json"));
const { version } = readJson(join(packages, "../package.json"));
const { names, platform, buildpack } = await importTypeScript(
  join(home, "src"),
  `import * as types from "@lifecycle/spec-types";
  export { EXECUTABLE_NAMES as names } from "./dispatch.ts";
  const strings = (versions) => versions.map(String);
  export const platform = {
    supported: strings(types.SUPPORTED_PLATFORM_APIS),
    deprecated: strings(types.DEPRECATED_PLATFORM_APIS),
  };
  export const buildpack = {
    supported: strings(types.SUPPORTED_BUILDPACK_APIS),
    deprecated: strings(types.DEPRECATED_BUILDPACK_APIS),
  };`,
);

const dist = resolve(process.argv[2] ?? join(home, "dist"));
const host = join(dist, "host");
const portable = join(dist, "portable");
const lifecycle = join(portable, "lifecycle");
rmSync(dist, { recursive: true, force: true });
for (const dir of [host, lifecycle]) mkdirSync(dir, { recursive: true });

const work = mkdtempSync(join(dist, "work-"));
const modules = join(work, "modules");
const bun = join(work, "bun");
const portableBun = join(work, "portable-bun");
await writeModules(modules, packages, { version, names });
writeSealedBun(bun);
writePortableBun(bun, portableBun, toolchain.patchelf);
compile(modules, "main.mjs", bun, join(host, "lifecycle"));
compile(modules, "main.mjs", portableBun, join(lifecycle, "lifecycle"));
rmSync(work, { recursive: true });

for (const name of names) symlinkSync("lifecycle", join(lifecycle, name));
for (const [name, key] of Object.entries(LIBC_FILES)) place(toolchain.libc[key], join(lifecycle, name));
compileLoader(toolchain, join(lifecycle, "loader"));
place(join(launcherDist, "launcher"), join(lifecycle, "launcher"));
// Modes are part of the product, whatever the umask.
for (const path of [lifecycle, join(host, "lifecycle"), join(lifecycle, "lifecycle"), join(lifecycle, "loader")])
  chmodSync(path, 0o755);

const libc6 = distributionComponent("libc6", toolchain.versions.libc6, "LGPL-2.1-or-later");
const lifecycleComponents = [
  ...names.flatMap((name) => bundledPackages(join(packages, name, "dist", `${name}.meta.json`))),
  npmComponent(dirname(dirname(BUN))),
  libc6,
];
const launcherComponents = [
  ...bundledPackages(join(launcherDist, "launcher.meta.json")),
  distributionComponent("qjs-src", toolchain.versions["qjs-src"], "MIT"),
  distributionComponent("musl-dev", toolchain.versions["musl-dev"], "MIT"),
];
const sbomFiles = { ...sbomsOf("lifecycle", lifecycleComponents), ...sbomsOf("launcher", launcherComponents) };
for (const [name, text] of Object.entries(sbomFiles)) writeText(join(lifecycle, name), text);
writeText(join(portable, "lifecycle.toml"), descriptor({ version, platform, buildpack }));

const files = [
  "lifecycle",
  "launcher",
  "loader",
  ...names,
  ...Object.keys(LIBC_FILES),
  ...Object.keys(sbomFiles),
].sort();
await writeArchive(join(dist, `lifecycle-v${version}+linux.x86-64.tgz`), portable, [
  "lifecycle.toml",
  "lifecycle",
  ...files.map((name) => `lifecycle/${name}`),
]);

function sbomsOf(name, components) {
  const documents = sboms(name, version, sortedComponents(components));
  return Object.fromEntries(Object.entries(documents).map(([format, text]) => [`${name}.sbom.${format}.json`, text]));
}

function place(from, to) {
  copyFileSync(from, to);
  chmodSync(to, 0o755);
}

function writeText(path, text) {
  writeFileSync(path, text);
  chmodSync(path, 0o644);
}

function readJson(path) {
  return JSON.parse(readFileSync(path, "utf8"));
}
