// Builds dist/launcher: the bundle of src/entry.ts, compiled to the engine's bytecode, linked with c/launcher.c, the
// engine and musl into one static executable. The same sources and toolchain give the same bytes.
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { build } from "esbuild";

/** An image pays for the launcher's size with every application that it holds. */
const MAX_BYTES = 1_200_000;

const here = fileURLToPath(new URL("..", import.meta.url));
const root = resolve(here, "../..");
const toolchainFile = process.env.LIFECYCLE_TOOLCHAIN ?? join(root, ".toolchain/toolchain.json");
const toolchain = JSON.parse(await readFile(toolchainFile, "utf8"));
const { version } = JSON.parse(await readFile(join(root, "package.json"), "utf8"));

const dist = join(here, "dist");
const work = await mkdtemp(join(tmpdir(), "launcher-"));
try {
  await mkdir(dist, { recursive: true });
  const bundle = join(work, "bundle.js");
  const { metafile } = await build({
    absWorkingDir: here,
    entryPoints: [join(here, "src/entry.ts")],
    outfile: bundle,
    bundle: true,
    minify: true,
    format: "iife",
    platform: "neutral",
    target: "es2023",
    mainFields: ["main"],
    legalComments: "none",
    metafile: true,
    define: { __LIFECYCLE_VERSION__: JSON.stringify(version) },
    logLevel: "warning",
    // @iarna/toml asks for Node's util in an eval and does without it if that fails, as it does here.
    logOverride: { "direct-eval": "silent" },
  });

  // The engine twice: with its parser for the compiler, and without it for the launcher, which runs nothing but the
  // bundle.
  const [compiler, engine] = await Promise.all([
    compileEngine("compiler", ["-O0"]),
    compileEngine("launcher", ["-O2", "-DQJS_DISABLE_PARSER"]),
  ]);
  const qjsc = join(work, "qjsc");
  await link(qjsc, [...compiler, ...(await compile("compiler", ["qjsc", "quickjs-libc"].map(engineSource), ["-O0"]))]);
  const bytecode = join(work, "bundle.c");
  await run(qjsc, ["-C", "-s", "-s", "-P", "-n", "launcher", "-N", "bundle", "-o", bytecode, bundle]);

  const own = await compile(
    "launcher",
    [join(here, "c/launcher.c"), bytecode],
    ["-O2", "-Wall", "-Wextra", "-Wno-unused-parameter"],
  );
  const launcher = join(work, "linked");
  await link(launcher, [...own, ...engine]);
  const bytes = await readFile(launcher);
  if (bytes.length > MAX_BYTES) throw new Error(`the launcher has ${bytes.length} bytes, more than ${MAX_BYTES}`);
  // Written beside its place, since a running launcher cannot be overwritten.
  const fresh = join(dist, "launcher.new");
  await writeFile(fresh, bytes, { mode: 0o755 });
  await rename(fresh, join(dist, "launcher"));
  // What went into it, for the SBOM.
  await writeFile(join(dist, "launcher.meta.json"), JSON.stringify({ inputs: Object.keys(metafile.inputs).sort() }));
} finally {
  await rm(work, { recursive: true });
}

function engineSource(name) {
  return join(toolchain.quickjsDir, `${name}.c`);
}

function compileEngine(name, flags) {
  return compile(name, ["quickjs", "libregexp", "libunicode", "dtoa"].map(engineSource), flags);
}

/** Compiles C files to objects in a folder of their own; returns the objects' paths. */
async function compile(name, sources, flags) {
  const folder = join(work, name);
  await mkdir(folder, { recursive: true });
  const gcc = (await cc(["-print-file-name=include"])).trim();
  return Promise.all(
    sources.map(async (source) => {
      const object = join(folder, `${source.split("/").at(-1)}.o`);
      await cc([
        ...[
          "-std=gnu11",
          "-D_GNU_SOURCE",
          "-DNDEBUG",
          "-fno-pie",
          "-ffunction-sections",
          "-fdata-sections",
          "-fno-asynchronous-unwind-tables",
        ],
        ...[
          `-ffile-prefix-map=${work}=.`,
          `-ffile-prefix-map=${here}=.`,
          `-ffile-prefix-map=${toolchain.quickjsDir}=engine`,
        ],
        ...["-nostdinc", "-isystem", toolchain.muslIncludeDir, "-isystem", gcc, "-I", toolchain.quickjsDir],
        ...flags,
        ...["-c", "-o", object, source],
      ]);
      return object;
    }),
  );
}

/** Links objects with musl alone into a stripped static executable. */
async function link(output, objects) {
  const musl = (file) => join(toolchain.muslLibDir, file);
  const gcc = (await cc(["-print-libgcc-file-name"])).trim();
  await cc([
    ...["-static", "-no-pie", "-nostdlib", "-s", "-Wl,--gc-sections", "-Wl,--build-id=none", "-Wl,-z,noexecstack"],
    ...["-o", output, musl("crt1.o"), musl("crti.o"), ...objects],
    ...["-Wl,--start-group", musl("libc.a"), gcc, "-Wl,--end-group", musl("crtn.o")],
  ]);
}

async function cc(args) {
  const [program, ...before] = toolchain.cc;
  return run(program, [...before, ...args]);
}

async function run(program, args) {
  const { stdout } = await promisify(execFile)(program, args, { maxBuffer: 64 * 1024 * 1024 });
  return stdout;
}
