import { type BytePath, fromLatin1, parentPath, toText } from "./byte-path.ts";
import { LayerError } from "./errors.ts";
import { Glob, PatternError } from "./glob.ts";
import type { PathInfo } from "./tar-entry.ts";

/** Paths within the application directory that go into a layer of their own (buildpack.md, launch.toml). */
export interface Slice {
  readonly paths: readonly string[];
}

interface Node {
  readonly info: PathInfo;
  readonly children: Node[];
  readonly parent: Node | undefined;
  /** Whether a slice has it, and for a directory also all that it holds. */
  sliced: boolean;
}

/**
 * Divides a directory among slices.
 *
 * Each slice gets what its patterns match and no slice before it has, directories with all they hold, and the
 * directories above a match up to the application directory. The last layer gets the rest; a directory whose every
 * entry went into slices is not repeated there.
 * @param found the application directory and everything below it, directories before what they hold
 * @returns one list per slice and one for the rest, each ordered by the bytes of the path; a list may be empty
 * @throws LayerError `invalid` for a malformed pattern
 */
export function divide(found: Iterable<PathInfo>, slices: readonly Slice[]): PathInfo[][] {
  const nodes = treeOf(found);
  const lists = slices.map((slice) => takeSlice(nodes, slice));
  const rest = [...nodes.values()].filter((node) => !node.sliced);
  return [...lists, sorted(rest)];
}

function treeOf(found: Iterable<PathInfo>): Map<BytePath, Node> {
  const nodes = new Map<BytePath, Node>();
  for (const info of found) {
    const parent = nodes.get(parentPath(info.path));
    const node: Node = { info, children: [], parent, sliced: false };
    nodes.set(info.path, node);
    parent?.children.push(node);
  }
  return nodes;
}

function takeSlice(nodes: ReadonlyMap<BytePath, Node>, slice: Slice): PathInfo[] {
  const taken = new Set<Node>();
  for (const pattern of slice.paths) {
    for (const match of matchesOf(nodes, pattern)) take(match, taken);
  }
  const parents = new Set<Node>();
  for (const node of taken) {
    for (let parent = node.parent; parent !== undefined; parent = parent.parent) {
      if (!taken.has(parent)) parents.add(parent);
    }
  }
  // The deepest first, since whether a directory is all sliced depends on those in it.
  for (const parent of [...parents].sort((one, other) => depth(other) - depth(one))) {
    parent.sliced = parent.children.every((child) => child.sliced);
  }
  return sorted([...taken, ...parents]);
}

function matchesOf(nodes: ReadonlyMap<BytePath, Node>, pattern: string): Node[] {
  const glob = new Glob(pattern);
  const matches: Node[] = [];
  let start = 0;
  for (const [path, node] of nodes) {
    if (node.parent === undefined) {
      start = path === "/" ? 1 : path.length + 1;
      continue;
    }
    const relative = fromLatin1(path.slice(start));
    try {
      if (glob.matches(relative)) matches.push(node);
    } catch (error) {
      if (!(error instanceof PatternError)) throw error;
      const where = `failed to check if '${toText(relative)}' matches '${pattern}'`;
      throw new LayerError("invalid", `${where}: ${error.message}; correct this path of launch.toml's slices`);
    }
  }
  return matches;
}

/** Takes a node and all that it holds, unless a slice has it. */
function take(match: Node, taken: Set<Node>): void {
  const waiting = [match];
  for (let node = waiting.pop(); node !== undefined; node = waiting.pop()) {
    if (node.sliced) continue;
    node.sliced = true;
    taken.add(node);
    for (const child of node.children) waiting.push(child);
  }
}

function depth(node: Node): number {
  return node.info.path.split("/").length;
}

function sorted(nodes: readonly Node[]): PathInfo[] {
  const infos = nodes.map((node) => node.info);
  return infos.sort((one, other) => (one.path < other.path ? -1 : one.path > other.path ? 1 : 0));
}
