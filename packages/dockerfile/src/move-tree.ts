import {
  chmodSync,
  copyFileSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
} from "node:fs";
import { type BytePath, childPath, fromLatin1, toFileSystem } from "@lifecycle/layers";

/** Moves a directory or file, also to another file system: owners and modes stay, pipes, sockets and devices do not. */
export function moveTree(from: BytePath, to: BytePath): void {
  try {
    renameSync(toFileSystem(from), toFileSystem(to));
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EXDEV")) throw error;
    copyTree(from, to);
    rmSync(toFileSystem(from), { recursive: true, force: true });
  }
}

function copyTree(from: BytePath, to: BytePath): void {
  const [source, target] = [toFileSystem(from), toFileSystem(to)];
  const stats = lstatSync(source);
  if (stats.isSymbolicLink()) {
    symlinkSync(readlinkSync(source, { encoding: "buffer" }), target);
  } else if (stats.isDirectory()) {
    mkdirSync(target, 0o700);
    for (const name of readdirSync(source, { encoding: "latin1" })) {
      copyTree(childPath(from, fromLatin1(name)), childPath(to, fromLatin1(name)));
    }
  } else if (stats.isFile()) {
    copyFileSync(source, target);
  } else return;
  lchownSync(target, stats.uid, stats.gid);
  if (!stats.isSymbolicLink()) chmodSync(target, stats.mode & 0o7777);
}
