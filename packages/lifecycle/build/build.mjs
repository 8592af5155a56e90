/**
 * Puts the lifecycle together, from the bundles of the executables' packages and the launcher, into `dist/` (or into the
 * folder that is its argument):
 *
 *   linux-amd64/  `lifecycle.toml` and `lifecycle/`, whose executables run on the build machine
 *   lifecycle-v<version>+linux.x86-64.tgz  the same, whose executables run from /cnb/lifecycle in any image
 *
 * `place.mjs` puts them where users look for them. The bytes depend on the sources, the toolchain and Node alone.
 */
import {
  chmodSync,
  copyFileSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { writeArchive } from "./archive.mjs";
import { BUN, compile, writePortableBun, writeSealedBun } from "./bun.mjs";
import { compileLoader } from "./loader.mjs";
import { importTypeScript, writeModules } from "./modules.mjs";
import {
  bundledPackages,
  distributionComponent,
  npmComponent,
  SBOM_MEDIA_TYPES,
  sboms,
  sortedComponents,
} from "./sbom.mjs";

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
const { names, describe } = await importTypeScript(
  join(home, "src"),
  `import * as types from "@lifecycle/spec-types";
  export { EXECUTABLE_NAMES as names } from "./dispatch.ts";
  const apiSet = (supported, deprecated) => ({ deprecated: deprecated.map(String), supported: supported.map(String) });
  const platform = apiSet(types.SUPPORTED_PLATFORM_APIS, types.DEPRECATED_PLATFORM_APIS);
  const buildpack = apiSet(types.SUPPORTED_BUILDPACK_APIS, types.DEPRECATED_BUILDPACK_APIS);
  export const describe = (version, sbomFormats) =>
    types.formatLifecycleDescriptor({
      apis: { buildpack, platform },
      api: { platform: platform.supported[0], buildpack: buildpack.supported[0] },
      lifecycle: { version, sbomFormats },
    });`,
);

const dist = resolve(process.argv[2] ?? join(home, "dist"));
rmSync(dist, { recursive: true, force: true });
const host = join(dist, "linux-amd64");
mkdirSync(join(host, "lifecycle"), { recursive: true });
const work = mkdtempSync(join(dist, "work-"));
const portable = join(work, "portable");
mkdirSync(join(portable, "lifecycle"), { recursive: true });

const modules = join(work, "modules");
const bun = join(work, "bun");
const portableBun = join(work, "portable-bun");
await writeModules(modules, packages, { version, names });
writeSealedBun(bun);
writePortableBun(bun, portableBun, toolchain.patchelf);
compile(modules, "main.mjs", bun, join(host, "lifecycle/lifecycle"));
compile(modules, "main.mjs", portableBun, join(portable, "lifecycle/lifecycle"));
for (const [name, key] of Object.entries(LIBC_FILES)) {
  copyFileSync(toolchain.libc[key], join(portable, "lifecycle", name));
}
compileLoader(toolchain, join(portable, "lifecycle/loader"));

const lifecycleComponents = [
  ...names.flatMap((name) => bundledPackages(join(packages, name, "dist", `${name}.meta.json`))),
  npmComponent(dirname(dirname(BUN))),
  distributionComponent("libc6", toolchain.versions.libc6, "LGPL-2.1-or-later"),
];
const launcherComponents = [
  ...bundledPackages(join(launcherDist, "launcher.meta.json")),
  distributionComponent("qjs-src", toolchain.versions["qjs-src"], "MIT"),
  distributionComponent("musl-dev", toolchain.versions["musl-dev"], "MIT"),
];
const texts = {
  "lifecycle.toml": describe(version, SBOM_MEDIA_TYPES),
  ...sbomsOf("lifecycle", lifecycleComponents),
  ...sbomsOf("launcher", launcherComponents),
};
for (const root of [host, portable]) {
  for (const [path, text] of Object.entries(texts)) writeFileSync(join(root, path), text);
  for (const name of names) symlinkSync("lifecycle", join(root, "lifecycle", name));
  copyFileSync(join(launcherDist, "launcher"), join(root, "lifecycle/launcher"));
  setModes(root);
}

const files = readdirSync(join(portable, "lifecycle")).sort();
await writeArchive(join(dist, `lifecycle-v${version}+linux.x86-64.tgz`), portable, [
  "lifecycle.toml",
  "lifecycle",
  ...files.map((name) => `lifecycle/${name}`),
]);
rmSync(work, { recursive: true });

/** SBOM files by the path they have beside their executable. */
function sbomsOf(name, components) {
  const documents = sboms(name, version, sortedComponents(components));
  return Object.fromEntries(
    Object.entries(documents).map(([format, text]) => [`lifecycle/${name}.sbom.${format}.json`, text]),
  );
}

/** Modes are part of the product, whatever the umask and the toolchain's own files say. */
function setModes(root) {
  chmodSync(join(root, "lifecycle"), 0o755);
  for (const path of readdirSync(root, { recursive: true })) {
    const isText = Object.hasOwn(texts, path);
    if (!lstatSync(join(root, path)).isSymbolicLink()) chmodSync(join(root, path), isText ? 0o644 : 0o755);
  }
}

function readJson(path) {
  return JSON.parse(readFileSync(path, "utf8"));
}
