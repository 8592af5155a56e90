import { lstatSync } from "node:fs";

/**
 * Whether an extension brought a directory as a build context. It has to be one itself: what a symlink leads to may be
 * anything that root can read, and would be copied into the image.
 *
 * @throws Error for a symlink
 */
export function isBuildContext(path: string): boolean {
  const stats = lstatSync(path, { throwIfNoEntry: false });
  if (stats?.isSymbolicLink()) throw new Error(`${path} is a symlink; a build context has to be a directory`);
  return stats?.isDirectory() === true;
}
