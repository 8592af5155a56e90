/** Puts the machine's directories together again, with another one at /kaniko or none, and becomes the command there. */
const SCRIPT = `
set -e
root=$1 kaniko=$2; shift 2
mkdir -p "$root"
mount -t tmpfs -o mode=0755 tmpfs "$root"
for entry in /*; do
  if [ -L "$entry" ]; then cp -P "$entry" "$root/"
  elif [ -d "$entry" ] && [ "$entry" != /kaniko ]; then mkdir "$root$entry"; mount --rbind "$entry" "$root$entry"
  fi
done
if [ -n "$kaniko" ]; then mkdir "$root/kaniko"; mount --bind "$kaniko" "$root/kaniko"; fi
exec chroot "$root" "$@"
`;

/**
 * A command line that runs a program with a directory mounted at /kaniko, as platforms mount it for image extensions, in
 * a mount namespace of its own. Needs root.
 *
 * @param root an empty directory to be root there
 * @param kaniko there is nothing at /kaniko when undefined
 */
export function withKanikoVolume(root: string, kaniko: string | undefined, command: readonly string[]): string[] {
  return ["unshare", "--mount", "sh", "-c", SCRIPT, "sh", root, kaniko ?? "", ...command];
}
