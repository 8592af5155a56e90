import { randomUUID } from "node:crypto";
import {
  appendFileSync,
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { type BytePath, childPath, fromLatin1, parentPath, toBytePath, toFileSystem } from "@lifecycle/layers";
import { writeFileAtomic } from "@lifecycle/phase";
import { messageOf } from "@lifecycle/syscall";

/** How the preparer calls what it has not finished. */
export const SCRATCH_PREFIX = ".cnb-prepare-";

/** In a scratch directory: what was taken away, as lines of a name in it and the path where it was. */
const JOURNAL = "journal";

/**
 * Changes to the file system that all happen or none: everything is undone, last first, unless it is committed. What
 * is taken away is only moved aside until then, on its own file system; {@link recover} puts it back after a kill.
 */
export class Transaction {
  readonly #undo: (() => void)[] = [];
  readonly #scratch: string[] = [];

  /**
   * A new directory in `parent`, for what is on its way to a place in the same file system; it goes with the transaction.
   */
  scratchIn(parent: string): string {
    this.makeDirectory(parent);
    const path = join(parent, `${SCRATCH_PREFIX}${randomUUID()}`);
    mkdirSync(path, { mode: 0o700 });
    this.#undo.push(() => removeTree(path));
    this.#scratch.push(path);
    return path;
  }

  /** Makes a directory and those above it. */
  makeDirectory(path: string): void {
    if (existsSync(path)) return;
    this.makeDirectory(dirname(path));
    mkdirSync(path, { mode: 0o755 });
    this.#undo.push(() => rmdirSync(path));
  }

  /** Moves a file or directory to a place where nothing is, in the same file system. */
  move(from: BytePath, to: BytePath): void {
    const [source, target] = [toFileSystem(from), toFileSystem(to)];
    const stats = lstatSync(source);
    // a directory has to be writable to get another parent
    const isLocked = stats.isDirectory() && (stats.mode & 0o200) === 0;
    if (isLocked) {
      chmodSync(source, (stats.mode & 0o7777) | 0o200);
      this.#undo.push(() => chmodSync(source, stats.mode & 0o7777));
    }
    renameSync(source, target);
    this.#undo.push(() => renameSync(target, source));
  }

  /** Takes a file or directory away, into a scratch directory of the same file system. */
  remove(path: BytePath, scratch: string): void {
    const name = randomUUID();
    appendFileSync(join(scratch, JOURNAL), `${name} ${path}\0`, "latin1");
    this.move(path, toBytePath(join(scratch, name)));
  }

  /** Writes a file, whole. */
  write(path: string, content: string): void {
    this.makeDirectory(dirname(path));
    this.#keep(path);
    writeFileAtomic(path, content);
  }

  /** Deletes a file of the preparer's own. */
  delete(path: string): void {
    this.#keep(path);
    rmSync(path, { force: true });
  }

  /** Makes what was done final. */
  commit(): void {
    this.#undo.length = 0;
    for (const path of this.#scratch) rmSync(join(path, JOURNAL), { force: true });
    for (const path of this.#scratch) removeTree(path);
    this.#scratch.length = 0;
  }

  /** Undoes what was done, if it was not committed. @returns what could not be undone, one line for each */
  rollback(): string[] {
    const failures: string[] = [];
    for (const undo of this.#undo.splice(0).reverse()) {
      try {
        undo();
      } catch (error) {
        failures.push(messageOf(error));
      }
    }
    return failures;
  }

  #keep(path: string): void {
    const before = existsSync(path) ? readFileSync(path) : undefined;
    this.#undo.push(() => (before === undefined ? rmSync(path, { force: true }) : writeFileSync(path, before)));
  }
}

/**
 * Puts back what a killed preparer took away in a directory, and deletes what it left there. The directory may be a
 * stranger's, with a journal of its own: nothing is put anywhere else.
 */
export function recover(directory: string): void {
  if (!statSync(directory, { throwIfNoEntry: false })?.isDirectory()) return;
  for (const name of readdirSync(directory).filter((each) => each.startsWith(SCRATCH_PREFIX))) {
    const scratch = join(directory, name);
    const journal = join(scratch, JOURNAL);
    const lines = existsSync(journal) ? readFileSync(journal, "latin1").split("\0").slice(0, -1) : [];
    for (const line of lines.reverse()) {
      const from = line.slice(37) as BytePath;
      const moved = join(scratch, line.slice(0, 36));
      const isOurs = /^[0-9a-f-]{36}$/.test(line.slice(0, 36)) && isInside(parentPath(from), directory);
      if (isOurs && existsSync(moved) && !existsSync(toFileSystem(from))) renameSync(moved, toFileSystem(from));
    }
    removeTree(scratch);
  }
}

/** Deletes a directory, also with directories in it that their owner may not write to. */
function removeTree(path: string): void {
  try {
    rmSync(path, { recursive: true, force: true });
  } catch {
    unlock(toBytePath(path));
    rmSync(path, { recursive: true, force: true });
  }
}

function unlock(directory: BytePath): void {
  chmodSync(toFileSystem(directory), 0o700);
  for (const entry of readdirSync(toFileSystem(directory), { withFileTypes: true, encoding: "latin1" })) {
    if (entry.isDirectory()) unlock(childPath(directory, fromLatin1(entry.name)));
  }
}

/** Whether a path leads to a directory, or to one below it. */
function isInside(path: BytePath, directory: string): boolean {
  try {
    const [inner, outer] = [toFileSystem(path), directory].map((each) => realpathSync(each, { encoding: "latin1" }));
    return inner === outer || inner?.startsWith(`${outer}/`) === true;
  } catch {
    return false;
  }
}
