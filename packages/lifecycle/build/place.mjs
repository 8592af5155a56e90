/**
 * Puts what the build made where users look for it, `dist/` at the top of the repository: the archive, the descriptor,
 * and the executables as hard links, so that each is a complete file and all of them cost the disk once.
 */
import { copyFileSync, cpSync, linkSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const built = fileURLToPath(new URL("../dist", import.meta.url));
const dist = fileURLToPath(new URL("../../../dist", import.meta.url));
const lifecycle = join(dist, "linux-amd64/lifecycle");
const archive = readdirSync(built).filter((name) => name.endsWith(".tgz"));

// Nothing but what an earlier build put there: the demo and the tests keep things of theirs in dist/, too.
rmSync(join(dist, "linux-amd64"), { recursive: true, force: true });
mkdirSync(lifecycle, { recursive: true });
for (const name of readdirSync(dist)) if (name.endsWith(".tgz")) rmSync(join(dist, name));
linkOrCopy(join(built, "host/lifecycle"), join(lifecycle, "lifecycle"));
for (const entry of readdirSync(join(built, "portable/lifecycle"), { withFileTypes: true })) {
  const to = join(lifecycle, entry.name);
  if (entry.isSymbolicLink()) linkOrCopy(join(lifecycle, "lifecycle"), to);
  else if (entry.name === "launcher" || entry.name.includes(".sbom.")) {
    copyFileSync(join(built, "portable/lifecycle", entry.name), to);
  }
}
copyFileSync(join(built, "portable/lifecycle.toml"), join(dist, "linux-amd64/lifecycle.toml"));
for (const name of archive) linkOrCopy(join(built, name), join(dist, name));

/** A hard link, or a copy where the file system has none. */
function linkOrCopy(from, to) {
  try {
    linkSync(from, to);
  } catch {
    cpSync(from, to);
  }
}
