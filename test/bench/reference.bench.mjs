// What everything costs beside the reference lifecycle: node test/bench/reference.bench.mjs <its executable> [scenario …]
// Needs root, docker-registry, dockerd, busybox, time, and 20 GB in the directory for temporary files.
import { spawnSync } from "node:child_process";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

// Bun says what a process has taken of processor time to the microsecond; Node.js does not.
const lifecycle = createRequire(new URL("../../packages/lifecycle/package.json", import.meta.url));
const bun = join(dirname(lifecycle.resolve("@oven/bun-linux-x64-baseline/package.json")), "bin/bun");
for (const work of ["phases-work.ts", "extensions-work.ts"]) {
  const path = fileURLToPath(new URL(work, import.meta.url));
  const { status } = spawnSync(bun, [path, ...process.argv.slice(2)], { stdio: "inherit" });
  if (status !== 0) process.exit(status ?? 1);
}
