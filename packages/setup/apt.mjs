import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { SetupError } from "./report.mjs";

const KEYRINGS = ["/usr/share/keyrings/debian-archive-keyring.pgp", "/usr/share/keyrings/debian-archive-keyring.gpg"];

/**
 * The machine's own apt, with its sources, proxies, credentials and trusted keys, but with lists, cache and an empty
 * dpkg status in a folder of ours: it needs no root, changes nothing on the system, does not depend on how old the
 * system's lists are, and resolves a closure that takes nothing on this machine for granted.
 */
export class Apt {
  #dir;
  #config;

  /**
   * @param {string} dir where lists and packages go; made if absent
   * @param {{ sources?: string }} options `sources`: a line of sources.list used instead of the machine's own sources
   */
  constructor(dir, { sources } = {}) {
    this.#dir = dir;
    this.#config = join(dir, "apt.conf");
    for (const part of ["lists/partial", "archives/partial"]) mkdirSync(join(dir, part), { recursive: true });
    writeFileSync(join(dir, "status"), "");
    const config = [
      // Hooks of the system's configuration act on the system: they have no place here.
      "#clear APT::Update::Pre-Invoke;",
      "#clear APT::Update::Post-Invoke;",
      "#clear APT::Update::Post-Invoke-Success;",
      "#clear Acquire::IndexTargets::deb::DEP-11;",
      "#clear Acquire::IndexTargets::deb::CNF;",
      `Dir::State "${dir}";`,
      `Dir::State::status "${join(dir, "status")}";`,
      `Dir::Cache "${dir}";`,
      'Acquire::Languages "none";',
      // As root, apt would fetch as a user who may not be allowed into the checkout.
      'APT::Sandbox::User "root";',
      'APT::Architecture "amd64";',
      'APT::Architectures { "amd64"; };',
      'APT::Install-Recommends "false";',
      'Dpkg::Use-Pty "false";',
    ];
    if (sources !== undefined) {
      writeFileSync(join(dir, "sources.list"), `${sources}\n`);
      config.push(`Dir::Etc::sourcelist "${join(dir, "sources.list")}";`, 'Dir::Etc::sourceparts "/dev/null";');
    }
    writeFileSync(this.#config, `${config.join("\n")}\n`);
  }

  /** Fetches the package lists; signatures are verified by apt. Throws SetupError with apt's own last error line. */
  update() {
    this.#run("apt-get", ["update", "-qq", "--error-on=any"], "read the package lists");
  }

  /** True if the lists offer a package of this name. */
  offers(name) {
    const shown = spawnSync("apt-cache", ["-c", this.#config, "show", "--no-all-versions", name], { encoding: "utf8" });
    return shown.status === 0 && shown.stdout.includes(`Package: ${name}\n`);
  }

  /**
   * Downloads `names` and everything they depend on, verified against the signed lists.
   * @returns {{ name: string, version: string, file: string }[]} in no particular order
   */
  download(names) {
    const archives = join(this.#dir, "archives");
    for (const file of readdirSync(archives)) if (file.endsWith(".deb")) rmSync(join(archives, file));
    this.#run("apt-get", ["install", "-qq", "-y", "--download-only", ...names], `fetch ${names.join(", ")}`);
    return readdirSync(archives)
      .filter((file) => file.endsWith(".deb"))
      .map((file) => {
        const [name = "", version = ""] = basename(file).split("_");
        return { name, version: decodeURIComponent(version), file: join(archives, file) };
      });
  }

  /** Repositories of Debian's main archive among the machine's sources, without their trailing slash. */
  debianMirrors() {
    return [...new Set(this.debianArchives().map(({ mirror }) => mirror))];
  }

  /**
   * What of Debian's main archive is among the machine's sources.
   * @returns {{ mirror: string, suite: string }[]} `mirror` without trailing slash; `suite`: `bookworm`
   */
  debianArchives() {
    const targets = this.#run("apt-get", ["indextargets"], "list the package sources").split("\n\n");
    return targets
      .map(
        (target) => new Map(target.split("\n").map((line) => [line.split(": ", 1)[0], line.replace(/^[^:]*: /, "")])),
      )
      .filter((t) => t.get("Origin") === "Debian" && t.get("Label") === "Debian" && t.get("Component") === "main")
      .map((t) => ({ mirror: (t.get("Repo-URI") ?? "").replace(/\/$/, ""), suite: t.get("Codename") ?? "" }))
      .filter(({ mirror, suite }) => mirror !== "" && suite !== "");
  }

  #run(command, args, purpose) {
    const run = spawnSync(command, ["-c", this.#config, ...args], {
      encoding: "utf8",
      maxBuffer: 64 << 20,
      env: { ...process.env, LC_ALL: "C", DEBIAN_FRONTEND: "noninteractive" },
    });
    if (run.error !== undefined) throw new SetupError(`cannot ${purpose}: ${command}: ${run.error.message}`);
    if (run.status !== 0) {
      const errors = run.stderr.split("\n").filter((line) => /^[EW]: /.test(line));
      throw new SetupError(`cannot ${purpose}: ${errors[0] ?? `${command} exited with ${run.status}`}`);
    }
    return run.stdout;
  }
}

/**
 * A sources.list line for `suite` of the Debian archive at `mirror`, verified with Debian's own keys. A mirror whose copy
 * is older than the archive vouches for is taken too: a rolling suite vouches for one week, and what is signed is genuine.
 */
export function debianSource(mirror, suite) {
  const keyring = KEYRINGS.find((path) => existsSync(path));
  const keys = keyring === undefined ? "" : ` signed-by=${keyring}`;
  return `deb [arch=amd64 check-valid-until=no${keys}] ${mirror} ${suite} main`;
}

/** Unpacks a .deb below `root` without running any of its scripts. */
export function unpack(deb, root) {
  mkdirSync(root, { recursive: true });
  execFileSync("dpkg-deb", ["-x", deb, root], { stdio: ["ignore", "ignore", "pipe"] });
}
