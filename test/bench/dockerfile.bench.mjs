// What it costs to find out what one RUN changed in a root of 200,000 files, beside walking it with find and reading it
// with tar: node test/bench/dockerfile.bench.mjs [directory for 1 GB of files]. Needs root and busybox.
import { execFileSync, execSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const files = 200_000;
const perDirectory = 100;
const rounds = 3;
const work = mkdtempSync(join(process.argv[2] ?? tmpdir(), "dockerfile-bench-"));
const root = join(work, "root");
const dockerfilePackage = createRequire(new URL("../../packages/dockerfile/package.json", import.meta.url));
const bun = join(dirname(dockerfilePackage.resolve("@oven/bun-linux-x64-baseline/package.json")), "bin/bun");
const driver = fileURLToPath(new URL("../dockerfile-driver.ts", import.meta.url));

function makeRoot() {
  mkdirSync(join(root, "bin"), { recursive: true });
  copyFileSync(
    execSync("command -v busybox", { encoding: "utf8", shell: "/bin/sh" }).trim(),
    join(root, "bin/busybox"),
  );
  symlinkSync("busybox", join(root, "bin/sh"));
  const content = "x".repeat(4000);
  for (let number = 0; number < files; number += perDirectory) {
    const directory = join(root, "usr/lib", String(number % 40), `package-${number}`);
    mkdirSync(directory, { recursive: true });
    for (let file = 0; file < perDirectory; file++)
      writeFileSync(join(directory, `file-${file}`), `${number}${content}`);
  }
}

function timed(run) {
  const started = performance.now();
  run();
  return performance.now() - started;
}

/** Milliseconds of a Dockerfile's instructions, without the start of the runtime. */
function apply(name, ...instructions) {
  const file = join(work, "Dockerfile");
  const jobs = join(work, "jobs.json");
  writeFileSync(file, ["FROM base", ...instructions].join("\n"));
  const config = { architecture: "amd64", os: "linux", config: {}, rootfs: { type: "layers", diff_ids: [] } };
  const job = { file, root, config, buildArgs: {}, context: work, cache: join(work, "cache"), timeToLive: 0 };
  writeFileSync(jobs, JSON.stringify([job]));
  execFileSync(bun, [driver, jobs], { stdio: "inherit" });
  const [{ error, layers, milliseconds }] = JSON.parse(readFileSync(`${jobs}.out`, "utf8"));
  if (error !== undefined) throw new Error(`${name}: ${error.message}`);
  return { milliseconds, layers: layers.length };
}

try {
  makeRoot();
  const contenders = {
    "find, every inode": () => timed(() => execSync(`find ${root} -printf '%C@' > /dev/null`)),
    "tar | sha256sum, a full read": () => timed(() => execSync(`tar -C ${root} -c . | sha256sum > /dev/null`)),
    "a RUN that changes nothing": () => apply("nothing", "RUN true").milliseconds,
    "a RUN that touches one file": () => apply("one", `RUN echo x >> /usr/lib/0/package-0/file-0`).milliseconds,
    "three such RUNs": () =>
      apply("three", ...[1, 2, 3].map((n) => `RUN echo x >> /usr/lib/0/package-0/file-${n}`)).milliseconds,
    "a COPY of one file": () => apply("copy", "COPY Dockerfile /copied").milliseconds,
  };
  const best = new Map();
  for (let round = 0; round < rounds; round++) {
    for (const [name, run] of Object.entries(contenders)) {
      best.set(name, Math.min(best.get(name) ?? Number.POSITIVE_INFINITY, run()));
    }
  }
  const [[, unit]] = best;
  for (const [name, milliseconds] of best) {
    const ratio = (milliseconds / unit).toFixed(2);
    process.stdout.write(`${name.padEnd(32)} ${String(Math.round(milliseconds)).padStart(7)} ms  ${ratio} x find\n`);
  }
} finally {
  rmSync(work, { recursive: true, force: true });
}
