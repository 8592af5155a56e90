import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

/** The real programs that black-box tests speak to: what each consists of, and the Debian package that has it. */
const SERVERS = {
  debootstrap: { programs: ["debootstrap"], package: "debootstrap", root: true },
  "docker-registry": { programs: ["docker-registry"], package: "docker-registry", root: false },
  dockerd: { programs: ["dockerd", "docker"], package: "docker.io", root: true },
  openssl: { programs: ["openssl"], package: "openssl", root: false },
  podman: { programs: ["podman"], package: "podman", root: true },
  skopeo: { programs: ["skopeo"], package: "skopeo", root: false },
  time: { programs: ["time"], package: "time", root: false },
  umoci: { programs: ["umoci"], package: "umoci", root: false },
} as const;

export type ServerName = keyof typeof SERVERS;

/**
 * Says whether all of the named servers can be started here; to be used as
 * `describe.runIf(requireServer("docker-registry", "skopeo"))("…", …)`.
 *
 * On a user's machine a missing one prints one line, saying what is skipped and why, and gives false.
 *
 * @throws Error for a missing one in CI (environment variable CI set): there, a test that does not run is a failure.
 */
export function requireServer(...names: ServerName[]): boolean {
  const reasons = names.flatMap((name) => {
    const reason = missing(name);
    return reason === undefined ? [] : [reason];
  });
  if (reasons.length === 0) return true;
  if (process.env.CI) throw new Error(`the black-box tests cannot run: ${reasons.join("; ")}`);
  process.stderr.write(`skipped: black-box tests with ${names.join(", ")}, since ${reasons.join("; ")}\n`);
  return false;
}

/** Whether root runs the tests: others read in one line what is skipped; a failure in CI. */
export function requireRoot(what: string): boolean {
  if (process.getuid?.() === 0) return true;
  if (process.env.CI) throw new Error(`the black-box tests cannot run: ${what} need root`);
  process.stderr.write(`skipped: black-box tests with ${what}, which need root\n`);
  return false;
}

function missing(name: ServerName): string | undefined {
  const server = SERVERS[name];
  const absent = server.programs.find((program) => !onPath(program));
  if (absent) return `${absent} is not installed (Debian package ${server.package})`;
  if (server.root && process.getuid?.() !== 0) return `${name} can be started by root only`;
  return undefined;
}

function onPath(program: string): boolean {
  return (process.env.PATH ?? "").split(delimiter).some((directory) => {
    try {
      accessSync(join(directory, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
