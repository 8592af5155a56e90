import { readdirSync } from "node:fs";
import { type BytePath, childPath, fromLatin1, toBytePath, toFileSystem, toText } from "@lifecycle/layers";
import ignore from "ignore";
import { SCRATCH_PREFIX } from "./transaction.ts";

/** Which files of the application are built, as project.toml says. */
export interface FileFilter {
  readonly include?: readonly string[];
  readonly exclude?: readonly string[];
}

/**
 * Finds the files that a descriptor's `include` or `exclude` keeps out of the build (project-descriptor.md). Patterns
 * are those of .gitignore; of the patterns that match a path or a directory above it the last one decides, so that a
 * `!pattern` also brings back what lies in an excluded directory. Symlinks are taken as they are, never followed. A
 * directory that `include` does not match goes when nothing in it stays.
 *
 * @param appDir absolute
 * @returns absolute paths, of a directory that goes as a whole only its own
 */
export function filesToRemove(appDir: string, { include, exclude }: FileFilter): BytePath[] {
  // an empty list is as good as none
  const patterns = exclude?.length ? exclude : (include ?? []);
  if (patterns.length === 0) return [];
  const root = toBytePath(appDir);
  const walk = new Walk(new Patterns(patterns), exclude?.length ? "exclude" : "include", root);
  walk.visit(root);
  return walk.removed;
}

class Walk {
  readonly removed: BytePath[] = [];
  readonly #patterns: Patterns;
  readonly #mode: "include" | "exclude";
  readonly #rootLength: number;

  constructor(patterns: Patterns, mode: "include" | "exclude", root: BytePath) {
    this.#patterns = patterns;
    this.#mode = mode;
    this.#rootLength = root === "/" ? 1 : root.length + 1;
  }

  /** @returns whether anything in the directory stays */
  visit(directory: BytePath): boolean {
    let anyStays = false;
    const entries = readdirSync(toFileSystem(directory), { withFileTypes: true, encoding: "latin1" });
    for (const entry of entries) {
      if (entry.name.startsWith(SCRATCH_PREFIX) && directory.length < this.#rootLength) continue;
      const path = childPath(directory, fromLatin1(entry.name));
      if (this.#stays(path, entry.isDirectory())) anyStays = true;
    }
    return anyStays;
  }

  #stays(path: BytePath, isDirectory: boolean): boolean {
    const relative = toText(path.slice(this.#rootLength) as BytePath);
    const matches = this.#patterns.match(isDirectory ? `${relative}/` : relative);
    const wanted = matches === (this.#mode === "include");
    // with no `!pattern`, what is in a directory shares its fate
    if (!isDirectory || (matches && !this.#patterns.anyNegative)) {
      if (!wanted) this.removed.push(path);
      return wanted;
    }
    const before = this.removed.length;
    const stays = this.visit(path) || wanted;
    if (!stays) {
      this.removed.length = before;
      this.removed.push(path);
    }
    return stays;
  }
}

/** Patterns of .gitignore, of which the last that matches decides. */
class Patterns {
  readonly anyNegative: boolean;
  readonly #rules: readonly { readonly negative: boolean; readonly matcher: ignore.Ignore }[];

  constructor(patterns: readonly string[]) {
    this.#rules = patterns
      .flatMap((each) => each.split(/\r?\n/))
      .map((pattern) => {
        const negative = pattern.startsWith("!");
        const matcher = ignore({ ignorecase: false, allowRelativePaths: true });
        return { negative, matcher: matcher.add({ pattern: negative ? pattern.slice(1) : pattern }) };
      });
    this.anyNegative = this.#rules.some(({ negative }) => negative);
  }

  /** @param path relative, with a slash at its end for a directory */
  match(path: string): boolean {
    return !(this.#rules.findLast(({ matcher }) => matcher.ignores(path))?.negative ?? true);
  }
}
