// What layers.bench.mjs measures: one piece of work, its milliseconds on standard output.
import { createHash } from "node:crypto";
import { createReadStream, mkdirSync, rmSync } from "node:fs";
import { extract, LayerFactory } from "../../packages/layers/src/index.ts";

const [work, path = "", target = ""] = process.argv.slice(2);
if (work === "extract") {
  rmSync(target, { recursive: true, force: true });
  mkdirSync(target);
}
const started = performance.now();
if (work === "extract") {
  await extract(createReadStream(path, { highWaterMark: 1 << 20 }), { root: target, within: `${target}/small` });
} else {
  const layer = await new LayerFactory({ uid: 1000, gid: 1000 }).dirLayer("bench", path, "bench");
  if (work === "compress") {
    const hash = createHash("sha256");
    for await (const chunk of layer.compressed()) hash.update(chunk);
    hash.digest("hex");
  }
}
console.log(performance.now() - started);
