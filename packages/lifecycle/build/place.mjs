/**
 * Puts what the build made where users look for it, `dist/` at the top of the repository: the archive, the descriptor,
 * and the executables as hard links, so that each is a complete file and all of them cost the disk once.
 */
import { cpSync, linkSync, mkdirSync, readdirSync, realpathSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const PLATFORM = "linux-amd64";
const built = fileURLToPath(new URL("../dist", import.meta.url));
const dist = fileURLToPath(new URL("../../../dist", import.meta.url));
const isArchive = (name) => name.endsWith(".tgz");

mkdirSync(dist, { recursive: true });
const earlier = readdirSync(dist).filter((name) => name === PLATFORM || isArchive(name));
for (const name of earlier) rmSync(join(dist, name), { recursive: true });

mkdirSync(join(dist, PLATFORM, "lifecycle"), { recursive: true });
for (const dir of [PLATFORM, `${PLATFORM}/lifecycle`]) {
  for (const entry of readdirSync(join(built, dir), { withFileTypes: true })) {
    if (!entry.isDirectory()) linkOrCopy(realpathSync(join(built, dir, entry.name)), join(dist, dir, entry.name));
  }
}
for (const name of readdirSync(built).filter(isArchive)) linkOrCopy(join(built, name), join(dist, name));

/** A hard link, or a copy where the file system has none. */
function linkOrCopy(from, to) {
  try {
    linkSync(from, to);
  } catch {
    cpSync(from, to);
  }
}
