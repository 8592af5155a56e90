import {
  chmodSync,
  existsSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmdirSync,
  utimesSync,
} from "node:fs";
import { type BytePath, childPath, fromLatin1, toFileSystem } from "@lifecycle/layers";
import { systemCode } from "@lifecycle/syscall";
import { readXattrs, writeXattrs } from "./xattrs.ts";

/** What rename(2) says of directories that have to be moved piece by piece. */
const inPieces: readonly unknown[] = ["EXDEV", "ENOTEMPTY", "EEXIST"];

/**
 * Moves a file or directory within a file system. In an overlay, as the roots of containers are, a directory that is the
 * image's cannot be renamed: it is made anew, and what it holds is moved. A directory that is there already is joined.
 * @throws Error with the file system's code; what was moved until then stays where it is, to be moved back
 */
export function moveTree(from: BytePath, to: BytePath): void {
  const [source, target] = [toFileSystem(from), toFileSystem(to)];
  const stats = lstatSync(source);
  try {
    renameSync(source, target);
    return;
  } catch (error) {
    if (!stats.isDirectory() || !inPieces.includes(systemCode(error) ?? "")) throw error;
  }
  const isNew = !existsSync(target);
  if (isNew) mkdirSync(target, 0o700);
  for (const name of readdirSync(source, { encoding: "latin1" })) {
    moveTree(childPath(from, fromLatin1(name)), childPath(to, fromLatin1(name)));
  }
  if (isNew) {
    lchownSync(target, stats.uid, stats.gid);
    chmodSync(target, stats.mode & 0o7777);
    writeXattrs(to, readXattrs(from));
    utimesSync(target, stats.atimeMs / 1000, stats.mtimeMs / 1000);
  }
  rmdirSync(source);
}
