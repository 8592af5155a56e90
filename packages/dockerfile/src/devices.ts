import { chmodSync, rmSync, symlinkSync } from "node:fs";
import { type BytePath, childPath, toBytePath } from "@lifecycle/layers";
import { makeNode } from "./make-node.ts";
import type { RootPaths } from "./root-paths.ts";

/** Devices that programs rely on: name, major and minor number. */
const devices = [
  ["null", 1, 3],
  ["zero", 1, 5],
  ["full", 1, 7],
  ["random", 1, 8],
  ["urandom", 1, 9],
  ["tty", 5, 0],
] as const;

/** Shortcuts into /proc, where that is mounted. */
const links = { fd: "/proc/self/fd", stdin: "fd/0", stdout: "fd/1", stderr: "fd/2" };

/**
 * Makes the devices that programs rely on, those that are not there.
 * @param directory resolved, in the root
 * @returns the names of those that could not be made, for which it takes a privilege
 */
export function makeDevices(root: RootPaths, directory: BytePath): string[] {
  const missing: string[] = [];
  for (const [name, major, minor] of devices) {
    const path = childPath(directory, toBytePath(name));
    if (root.find(path)?.isCharacterDevice() === true) continue;
    try {
      rmSync(root.file(path), { recursive: true, force: true });
      makeNode(root.host(path), { kind: "character", major, minor });
      // Whatever the umask.
      chmodSync(root.file(path), 0o666);
    } catch {
      missing.push(name);
    }
  }
  for (const [name, target] of Object.entries(links)) {
    const path = childPath(directory, toBytePath(name));
    if (root.find(path) === undefined) symlinkSync(target, root.file(path));
  }
  return missing;
}
