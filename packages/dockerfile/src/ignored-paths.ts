import { readFileSync } from "node:fs";
import { type BytePath, fromLatin1, toBytePath } from "@lifecycle/layers";
import type { RootPaths } from "./root-paths.ts";

/** What the kernel shows of itself; never part of an image. */
const kernelPaths = ["/proc", "/sys", "/dev"];

/** The paths of a root that belong to no image: those that were named, the kernel's, and whatever is mounted. */
export class IgnoredPaths {
  readonly #root: RootPaths;
  readonly #names: readonly BytePath[];
  #named: readonly BytePath[] = [];
  #mounts: readonly BytePath[] = [];
  #paths: ReadonlySet<BytePath> = new Set();

  /** @param named absolute paths of the root */
  constructor(root: RootPaths, named: readonly string[]) {
    this.#root = root;
    const given = named.filter((path) => path !== "" && path !== "/");
    this.#names = [...kernelPaths, ...given].map(toBytePath);
    this.locate();
  }

  /** Finds where the named paths lie in the root as it is now; it may have been empty before. */
  locate(): void {
    this.#named = this.#names.map((path) => this.#root.resolve(path));
    this.refresh();
  }

  /** Looks again at what is mounted. */
  refresh(): void {
    this.#mounts = mountPoints()
      .map((path) => withoutRoot(path, this.#root.directory))
      .filter((path) => path !== undefined);
    this.#paths = new Set([...this.#named, ...this.#mounts]);
  }

  /** Whether just this path is where something ignored begins: for who walks down from the root. */
  begins(path: BytePath): boolean {
    return this.#paths.has(path);
  }

  /** Whether a resolved path is ignored or lies in something that is. */
  contain(path: BytePath): boolean {
    for (let end = path.length; end > 0; end = path.lastIndexOf("/", end - 1)) {
      if (this.#paths.has(path.slice(0, end) as BytePath)) return true;
    }
    return false;
  }
}

/** Where file systems are mounted (proc(5), mountinfo); none where that cannot be read. */
function mountPoints(): BytePath[] {
  let lines: string[];
  try {
    lines = readFileSync("/proc/self/mountinfo", "latin1").split("\n");
  } catch {
    return [];
  }
  return lines
    .map((line) => line.split(" ")[4] ?? "")
    .filter((path) => path.startsWith("/"))
    .map((path) =>
      fromLatin1(path.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)))),
    );
}

/** A path of the machine as one of the root, if it lies below it. */
function withoutRoot(path: BytePath, root: string): BytePath | undefined {
  const prefix = root === "/" ? "/" : `${toBytePath(root)}/`;
  if (!path.startsWith(prefix) || path === "/") return undefined;
  return fromLatin1(`/${path.slice(prefix.length)}`);
}
