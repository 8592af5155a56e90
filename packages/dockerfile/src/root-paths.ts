import { lstatSync, readlinkSync, type Stats } from "node:fs";
import { resolve } from "node:path";
import { type BytePath, childPath, fromLatin1, parentPath, toBytePath, toFileSystem, toText } from "@lifecycle/layers";
import { systemCode } from "@lifecycle/syscall";
import { InstructionError } from "./error.ts";

/** How many symlinks a path may lead through, as in Linux. */
const linkLimit = 40;

/**
 * A directory that stands for `/`. Paths in it are absolute; whatever they lead through, symlinks and `..` included,
 * they stay in it. Nobody else may change it meanwhile.
 */
export class RootPaths {
  /** Where it lies, as an absolute path. */
  readonly directory: string;
  readonly #prefix: BytePath;

  constructor(directory: string) {
    this.directory = resolve(directory);
    this.#prefix = toBytePath(this.directory === "/" ? "" : this.directory);
  }

  /** Where a path of the root lies. Nothing is resolved: that nothing above its last name is a symlink must be known. */
  host(path: BytePath): BytePath {
    return (path === "/" && this.#prefix !== "" ? this.#prefix : `${this.#prefix}${path}`) as BytePath;
  }

  /** The same, to hand to functions of `node:fs`. */
  file(path: BytePath): string | Buffer {
    return toFileSystem(this.host(path));
  }

  /** What is at a path without symlinks above its last name; undefined if nothing is. */
  find(path: BytePath): Stats | undefined {
    try {
      return lstatSync(this.file(path), { throwIfNoEntry: false });
    } catch (error) {
      // A file stands where a directory would have to be.
      if (systemCode(error) === "ENOTDIR") return undefined;
      throw error;
    }
  }

  /** Whether all that is above a path's last name are directories, and no symlinks that lead elsewhere. */
  leadsStraightTo(path: BytePath): boolean {
    let current = toBytePath("/");
    for (const step of stepsOf(parentPath(path)).reverse()) {
      current = childPath(current, fromLatin1(step));
      if (this.find(current)?.isDirectory() !== true) return false;
    }
    return true;
  }

  /**
   * Where a path leads to: an absolute path of the root without symlinks, `.` and `..`. What is not there is taken as it
   * stands.
   * @param options.keepLast whether a symlink at the path's end is not followed
   * @throws InstructionError `failed` for symlinks that go in circles
   */
  resolve(path: BytePath, options: { readonly keepLast?: boolean } = {}): BytePath {
    const steps = stepsOf(path);
    let current = toBytePath("/");
    let links = 0;
    for (let step = steps.pop(); step !== undefined; step = steps.pop()) {
      if (step === "..") {
        current = parentPath(current);
        continue;
      }
      const next = childPath(current, fromLatin1(step));
      const follows = steps.length > 0 || options.keepLast !== true;
      if (!follows || this.find(next)?.isSymbolicLink() !== true) {
        current = next;
        continue;
      }
      if (++links > linkLimit)
        throw new InstructionError("failed", `${toText(path)}: too many levels of symbolic links`);
      const target = readlinkSync(this.file(next), { encoding: "latin1" });
      if (target.startsWith("/")) current = toBytePath("/");
      steps.push(...stepsOf(fromLatin1(target)));
    }
    return current;
  }
}

/** The names of a path, last one first. */
function stepsOf(path: BytePath): string[] {
  return path
    .split("/")
    .filter((step) => step !== "" && step !== ".")
    .reverse();
}
