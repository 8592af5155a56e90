import { spawnSync } from "node:child_process";
import { SetupError } from "../../packages/setup/report.mjs";

const ROOT = process.getuid() === 0;

/** Mounts what is asked for below the new root file system, and becomes the command. Runs in its own mount namespace. */
const MOUNT = `
set -e
root=$1; shift
mount --rbind /proc "$root/proc"
mount --rbind /dev "$root/dev"
while [ "$1" != -- ]; do
  mount --bind "$1" "$root/$2"
  shift 2
done
shift
exec "$@"
`;

/**
 * The command line that runs a program in another root file system, in a mount namespace of its own, with the machine's
 * network. A user who is not root gets a user namespace, in which the user is known as `uid:gid`.
 *
 * @param {string} root the root file system
 * @param {object} options
 * @param {Record<string, string>} [options.mounts] paths in the new root, without leading slash, with what is mounted there
 * @param {{ uid: number, gid: number }} options.user who the program runs as
 * @param {boolean} [options.privileged] as root, if the user is root; the program then changes to `user` by itself
 * @param {string[]} command
 * @returns {[string, string[]]} program and arguments
 */
export function sandboxed(root, { mounts = {}, user: { uid, gid }, privileged = false }, command) {
  const namespace = ROOT ? ["--mount"] : ["--user", "--map-root-user", "--mount"];
  const enter = ROOT
    ? ["chroot", ...(privileged ? [] : [`--userspec=${uid}:${gid}`, "--groups="]), root]
    : ["unshare", "--user", `--map-user=${uid}`, `--map-group=${gid}`, `--root=${root}`, "--wd=/"];
  const pairs = Object.entries(mounts).flatMap(([to, from]) => [from, to]);
  return ["unshare", [...namespace, "sh", "-c", MOUNT, "sh", root, ...pairs, "--", ...enter, ...command]];
}

/** @throws SetupError, one line, when this machine does not let this user run a program in another root file system */
export function checkSandbox() {
  if (process.platform !== "linux" || process.arch !== "x64") throw new SetupError("the demo needs Linux on x86-64");
  const [program, args] = sandboxed("/", { user: { uid: 1000, gid: 1000 } }, ["true"]);
  const tried = spawnSync(program, args, { encoding: "utf8" });
  if (tried.status === 0) return;
  const reason = (tried.error?.message ?? tried.stderr).trim().split("\n")[0];
  const advice = ROOT ? "a container needs --privileged" : "run it as root, or allow unprivileged user namespaces";
  throw new SetupError(`this machine refuses a root file system of its own (${reason}): ${advice}`);
}
