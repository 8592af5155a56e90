import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync } from "node:fs";
import { appendFile, chmod, copyFile, cp, mkdir, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Apt } from "../../packages/setup/apt.mjs";
import { SetupError } from "../../packages/setup/report.mjs";
import { writeImage, writeLayer } from "./layout.mjs";
import { USER } from "./root.mjs";

/** Raise it when what the stack consists of changes: every checkout then makes it anew. */
const RECIPE = 1;

const CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt";

/** What nobody needs in an image that others are made from. */
const UNNEEDED = [
  "var/lib/apt/lists",
  "var/cache/apt",
  "usr/share/doc",
  "usr/share/locale",
  "usr/share/man",
  "var/log",
];

/**
 * Makes a stack of a real Debian in a directory, unless it lies there already: one with apt, so that image extensions
 * can install packages, from the sources that this machine has its packages from.
 *
 * - `run/`: the run image in OCI layout,
 * - `build/`: the build image in OCI layout, made of the same layer.
 *
 * Needs root and debootstrap.
 *
 * @param {string} directory
 * @returns {Promise<{ run: string, build: string }>}
 * @throws SetupError, one line, when Debian cannot be fetched
 */
export async function makeDebianStack(directory) {
  const paths = { run: join(directory, "run"), build: join(directory, "build") };
  mkdirSync(dirname(directory), { recursive: true });
  const work = await mkdtemp(`${directory}-`);
  const umask = process.umask(0o022);
  try {
    await chmod(work, 0o755);
    const source = packageSource(join(work, "apt"));
    const key = createHash("sha256")
      .update(JSON.stringify([RECIPE, source]))
      .digest("hex");
    const marker = join(directory, "made-of");
    if (existsSync(marker) && (await readFile(marker, "utf8")) === key) return paths;

    const root = join(work, "root");
    await makeDebianRoot(root, source);
    const run = join(work, "run");
    const layer = await writeLayer(root, run, ["--exclude=./dev/*"]);
    await rm(root, { recursive: true });
    const user = `${USER.uid}:${USER.gid}`;
    const path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    const build = join(work, "build");
    await cp(run, build, { recursive: true });
    const Labels = {
      "io.buildpacks.base.distro.name": "debian",
      "io.buildpacks.base.id": "io.buildpacks.samples.debian",
    };
    await writeImage(run, layer, { Env: [path], User: user, Labels });
    const ids = [`CNB_USER_ID=${USER.uid}`, `CNB_GROUP_ID=${USER.gid}`];
    await writeImage(build, layer, { Env: [path, ...ids], User: user, Labels });
    await rm(join(work, "apt"), { recursive: true });
    await writeFile(join(work, "made-of"), key);
    await rm(directory, { recursive: true, force: true });
    await rename(work, directory);
    return paths;
  } finally {
    process.umask(umask);
    await rm(work, { recursive: true, force: true });
  }
}

/**
 * Where this machine has Debian from, and how it gets there.
 *
 * @param {string} work a directory for package lists
 * @returns {{ mirror: string, suite: string, settings: string }} `settings`: lines of apt.conf
 */
function packageSource(work) {
  const apt = new Apt(work);
  apt.update();
  // bookworm, but not bookworm-updates, which is no distribution by itself
  const archive = apt.debianArchives().find(({ suite }) => !suite.includes("-"));
  if (archive === undefined)
    throw new SetupError("a stack of Debian needs Debian among this machine's package sources");
  const settings = execFileSync("apt-config", ["dump"], { encoding: "utf8" }).split("\n");
  return { ...archive, settings: settings.filter((line) => /^Acquire::https?::Proxy/.test(line)).join("\n") };
}

async function makeDebianRoot(root, { mirror, suite, settings }) {
  try {
    execFileSync("debootstrap", ["--variant=minbase", suite, root, mirror], { stdio: ["ignore", "pipe", "pipe"] });
  } catch (error) {
    if (error.code === "ENOENT") throw new SetupError("debootstrap is not installed (Debian package debootstrap)");
    const lines = String(error.stdout ?? error.message)
      .trim()
      .split("\n");
    throw new SetupError(`debootstrap cannot make a Debian ${suite}: ${lines.at(-1)}`);
  }
  for (const path of UNNEEDED) {
    await rm(join(root, path), { recursive: true });
    await mkdir(join(root, path));
  }
  const etc = (path) => join(root, "etc", path);
  // Of a rolling suite, a copy that is more than a week old is genuine, too.
  await writeFile(etc("apt/sources.list"), `deb [check-valid-until=no] ${mirror} ${suite} main\n`);
  await writeFile(etc("apt/apt.conf.d/50machine"), `${settings}\nAcquire::Languages "none";\n`);
  if (existsSync(CERTIFICATES)) {
    await mkdir(join(root, dirname(CERTIFICATES)), { recursive: true });
    await copyFile(CERTIFICATES, join(root, CERTIFICATES));
  }
  const { uid, gid } = USER;
  await appendFile(etc("passwd"), `cnb:x:${uid}:${gid}:cnb:/home/cnb:/bin/bash\n`);
  await appendFile(etc("group"), `cnb:x:${gid}:\n`);
  await mkdir(join(root, "home/cnb"));
  execFileSync("chown", [`${uid}:${gid}`, join(root, "home/cnb")]);
}
