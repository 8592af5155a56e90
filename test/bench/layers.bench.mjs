// How fast layers are hashed, compressed and extracted, as ratios to what the usual tools take for the same in the same
// run: node test/bench/layers.bench.mjs [directory for 2 GB of files]
import { execFileSync, execSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const rounds = 5;
const here = dirname(fileURLToPath(import.meta.url));
const work = mkdtempSync(join(process.argv[2] ?? tmpdir(), "layers-bench-"));

const lifecycle = createRequire(new URL("../../packages/lifecycle/package.json", import.meta.url));
const bun = join(dirname(lifecycle.resolve("@oven/bun-linux-x64-baseline/package.json")), "bin/bun");

/** 50,000 files of 0.5 to 7.5 kB, like the modules of a Node.js application. */
function makeSmallFiles(directory) {
  const words = Array.from({ length: 1200 }, (_, n) => `const value${n} = require("./module-${n % 97}");\n`).join("");
  for (let group = 0; group < 500; group++) {
    const path = join(directory, `package-${group % 50}`, `lib-${group}`);
    mkdirSync(path, { recursive: true });
    for (let file = 0; file < 100; file++) {
      const start = (group * 7919 + file * 104729) % 40_000;
      writeFileSync(join(path, `file-${file}.js`), words.slice(start, start + 500 + (start % 7000)));
    }
  }
}

/** Takes turns, so that what else the machine does meets all alike; the fastest of each counts. */
function race(contenders) {
  const best = new Map();
  for (let round = 0; round < rounds; round++) {
    for (const [name, run] of Object.entries(contenders)) {
      const milliseconds = run();
      best.set(name, Math.min(best.get(name) ?? Number.POSITIVE_INFINITY, milliseconds));
    }
  }
  return best;
}

function timed(command, out) {
  rmSync(out, { recursive: true, force: true });
  mkdirSync(out);
  const started = performance.now();
  execSync(command, { stdio: ["ignore", "ignore", "inherit"] });
  return performance.now() - started;
}

try {
  const program = join(work, "work.mjs");
  await build({
    entryPoints: [join(here, "layers-work.ts")],
    outfile: program,
    bundle: true,
    platform: "node",
    format: "esm",
    logLevel: "warning",
  });
  const ours = (runtime, ...args) => Number(execFileSync(runtime, [program, ...args], { encoding: "utf8" }));

  const small = join(work, "small");
  const large = join(work, "large");
  makeSmallFiles(small);
  mkdirSync(large);
  execSync(`head -c 1073741824 /dev/urandom > ${join(large, "file")}`);
  const archive = join(work, "small.tar");
  execSync(`tar cf ${archive} -C ${work} small`);
  const out = join(work, "out");

  const comparisons = [
    ["hash 50,000 small files", `tar cf - ${small} 2>/dev/null | sha256sum`, ["hash", small]],
    ["hash a file of 1 GiB", `tar cf - ${large} 2>/dev/null | sha256sum`, ["hash", large]],
    ["compress 50,000 small files", `tar cf - ${small} 2>/dev/null | gzip -1 | sha256sum`, ["compress", small]],
    ["extract 50,000 small files", `tar xf ${archive} -C ${out}`, ["extract", archive, out]],
  ];
  for (const [what, command, args] of comparisons) {
    const best = race({
      tools: () => timed(command, out),
      bun: () => ours(bun, ...args),
      node: () => ours(process.execPath, ...args),
    });
    const [tools, inBun, inNode] = ["tools", "bun", "node"].map((name) => best.get(name));
    const ratio = (milliseconds) => `${Math.round(milliseconds)} ms, ${(milliseconds / tools).toFixed(2)} of it`;
    console.log(`${what}: tools ${Math.round(tools)} ms; Bun ${ratio(inBun)}; Node.js ${ratio(inNode)}`);
  }
} finally {
  rmSync(work, { recursive: true, force: true });
}
