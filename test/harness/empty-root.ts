import { type Outcome, type RunOptions, run } from "./run.ts";

const IS_ROOT = process.getuid?.() === 0;
const NAMESPACES = [...(IS_ROOT ? [] : ["--user", "--map-root-user"]), "--mount", "--pid", "--fork"];

/** Makes the root read-only, mounts /proc, and becomes the command in it. Runs in a mount namespace of its own. */
const ENTER = `
set -e
root=$1; shift
mount --bind "$root" "$root"
mount -t proc proc "$root/proc" 2>/dev/null || mount --rbind /proc "$root/proc"
mount -o remount,bind,ro "$root" 2>/dev/null || mount -o remount,bind,ro,nosuid,nodev "$root"
exec "$@"
`;

/**
 * Runs a program in a root file system that holds nothing but what the test put there: read-only, as user and group
 * 1000, without capabilities, in namespaces of its own.
 *
 * @param root a directory with an empty `proc` in it
 */
export function runInRoot(root: string, command: string[], options: RunOptions = {}): Promise<Outcome> {
  const enter = IS_ROOT
    ? ["chroot", "--userspec=1000:1000", "--groups=", root]
    : ["unshare", "--user", "--map-user=1000", "--map-group=1000", `--root=${root}`, "--wd=/"];
  return run("unshare", [...NAMESPACES, "sh", "-c", ENTER, "sh", root, ...enter, ...command], options);
}

/** Whether {@link runInRoot} works here; a machine that refuses fails in CI, elsewhere one line says what is skipped. */
export async function requireEmptyRoot(): Promise<boolean> {
  const { code, stderr } = await run("unshare", [...NAMESPACES, "true"]);
  if (code === 0) return true;
  const reason = `this machine refuses a root file system of its own: ${stderr.trim()}`;
  if (process.env.CI) throw new Error(`the black-box tests cannot run: ${reason}`);
  process.stderr.write(`skipped: executables in an empty root, since ${reason}\n`);
  return false;
}
