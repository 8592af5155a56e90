import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { extract } from "tar";
import { Apt } from "../../packages/setup/apt.mjs";
import { SetupError } from "../../packages/setup/report.mjs";

/**
 * Unpacks Debian packages (these alone, without what they depend on) from the machine's own package sources.
 *
 * @param {string[]} names
 * @param {string} root where they are unpacked
 * @param {string} work a directory for lists and downloads, deleted afterwards
 */
export async function unpackDebianPackages(names, root, work) {
  const apt = new Apt(work);
  apt.update();
  const fetched = apt.download(names);
  for (const name of names) {
    const found = fetched.find((candidate) => candidate.name === name);
    if (found === undefined) throw new SetupError(`the package sources of this machine offer no ${name}`);
    const content = execFileSync("dpkg-deb", ["--fsys-tarfile", found.file], { maxBuffer: 1 << 30 });
    // Packages hold /bin and /lib as directories where the root has symlinks.
    const options = ["--keep-directory-symlink", "--no-same-owner", "--preserve-permissions"];
    execFileSync("tar", ["--extract", ...options, "--directory", root], { input: content });
  }
  await rm(work, { recursive: true });
}

/**
 * Unpacks a package of the user's npm registry.
 *
 * @param {{ name: string, version: string, integrity: string }} wanted `integrity`: `sha512-<base64>` of its archive
 * @param {string} directory where its files go
 * @param {string} work a directory for the download, deleted afterwards
 * @param {(path: string) => boolean} filter says which of the package's files to take
 */
export async function unpackNpmPackage(wanted, directory, work, filter = () => true) {
  const { name, version, integrity } = wanted;
  await mkdir(work, { recursive: true });
  try {
    execFileSync("npm", ["pack", `${name}@${version}`, "--loglevel=error", "--pack-destination", work], {
      cwd: work,
      stdio: ["ignore", "ignore", "pipe"],
    });
  } catch (error) {
    const lines = String(error.stderr ?? error.message)
      .trim()
      .split("\n");
    const reason = lines.find((line) => line.startsWith("npm error")) ?? lines[0];
    throw new SetupError(`cannot fetch ${name} ${version} from the npm registry: ${reason}`);
  }
  const [archive] = await readdir(work);
  const hash = createHash("sha512");
  await pipeline(createReadStream(join(work, archive)), hash);
  if (`sha512-${hash.digest("base64")}` !== integrity) {
    throw new SetupError(
      `what the npm registry has as ${name} ${version} is not what is expected: its checksum differs`,
    );
  }
  await mkdir(directory, { recursive: true });
  // npm's archives hold everything below one directory.
  await extract({
    file: join(work, archive),
    cwd: directory,
    strip: 1,
    filter: (path) => filter(path.split("/").slice(1).join("/")),
  });
  await rm(work, { recursive: true });
}
