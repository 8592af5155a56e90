import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const DIST = fileURLToPath(new URL("../../dist", import.meta.url));

/** What `npm run build` leaves in `dist/`. */
export interface Distribution {
  readonly version: string;
  /** The directory with the executables as they run on this machine. */
  readonly executables: string;
  /** The archive for builder images. */
  readonly archive: string;
}

/** @throws Error when nothing was built */
export function distribution(): Distribution {
  const manifest: unknown = JSON.parse(readFileSync(join(DIST, "../package.json"), "utf8"));
  const version = (manifest as { version: string }).version;
  const executables = join(DIST, "linux-amd64/lifecycle");
  const archive = join(DIST, `lifecycle-v${version}+linux.x86-64.tgz`);
  if (!existsSync(executables) || !existsSync(archive)) {
    const found = existsSync(DIST) ? readdirSync(DIST).join(", ") : "nothing";
    throw new Error(`dist/ holds ${found || "nothing"}; npm run build makes what is tested`);
  }
  return { version, executables, archive };
}
