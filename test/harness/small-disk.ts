/** Copies what the directory holds to the disk, with its owners, and becomes the command. */
const SCRIPT = `
set -e
directory=$1 size=$2; shift 2
mkdir -p "$directory"
content=$(mktemp -d)
mount --bind "$directory" "$content"
mount -t tmpfs -o "size=$size,mode=0777" tmpfs "$directory"
cp -a "$content/." "$directory"
umount "$content"
rmdir "$content"
exec "$@"
`;

/**
 * A command line that runs a program with a disk of its own at a directory, in a mount namespace of its own: the disk
 * and what was written to it is gone when the program ends. Needs root.
 *
 * @param directory what it holds is also on the disk
 * @param size bytes, rounded up to whole pages
 */
export function onSmallDisk(directory: string, size: number, command: readonly string[]): string[] {
  return ["unshare", "--mount", "sh", "-c", SCRIPT, "sh", directory, `${size}`, ...command];
}
