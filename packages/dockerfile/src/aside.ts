import { rmSync } from "node:fs";
import { type BytePath, fromLatin1 } from "@lifecycle/layers";
import { moveTree } from "./move-tree.ts";
import type { RootPaths } from "./root-paths.ts";
import type { Undo } from "./undo.ts";

/**
 * Moves what stands at a path aside, so that something else can take its place until all is undone.
 * @param path resolved
 * @param to where to, in the same file system; beside it unless given
 * @returns where it lies meanwhile; undefined if nothing was there
 * @throws Error if it cannot be moved, with all where it was
 */
export function moveAside(
  root: RootPaths,
  path: BytePath,
  undo: Undo,
  to = fromLatin1(`${path}.lifecycle-${process.pid}`),
): BytePath | undefined {
  const aside = root.find(path) === undefined ? undefined : to;
  const moveBack = () => {
    if (aside !== undefined && root.find(aside) !== undefined) moveTree(root.host(aside), root.host(path));
  };
  try {
    if (aside !== undefined) moveTree(root.host(path), root.host(aside));
  } catch (error) {
    // A directory may have been moved in part.
    moveBack();
    throw error;
  }
  undo.later(path, () => {
    rmSync(root.file(path), { recursive: true, force: true });
    moveBack();
  });
  return aside;
}
