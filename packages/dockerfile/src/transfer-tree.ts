import {
  chmodSync,
  lchownSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
} from "node:fs";
import { copyFile } from "node:fs/promises";
import { setImmediate } from "node:timers/promises";
import { type BytePath, childPath, fromLatin1, toFileSystem } from "@lifecycle/layers";
import { systemCode } from "@lifecycle/syscall";

/**
 * Moves a directory to where nothing is, or, if that is another file system, copies it: owners, modes and times stay; extended
 * attributes, second names of files, pipes, sockets and devices do not. A failure leaves nothing there.
 * @param signal ends the copying with its reason
 */
export async function transferTree(from: BytePath, to: BytePath, signal: AbortSignal): Promise<void> {
  try {
    renameSync(toFileSystem(from), toFileSystem(to));
  } catch (error) {
    if (systemCode(error) !== "EXDEV") throw error;
    try {
      await copyTree(from, to, signal);
    } catch (failure) {
      rmSync(toFileSystem(to), { recursive: true, force: true });
      throw failure;
    }
  }
}

async function copyTree(from: BytePath, to: BytePath, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const [source, target] = [toFileSystem(from), toFileSystem(to)];
  const stats = lstatSync(source);
  if (stats.isSymbolicLink()) {
    symlinkSync(readlinkSync(source, { encoding: "buffer" }), target);
  } else if (stats.isDirectory()) {
    await setImmediate();
    mkdirSync(target, 0o700);
    for (const name of readdirSync(source, { encoding: "latin1" })) {
      await copyTree(childPath(from, fromLatin1(name)), childPath(to, fromLatin1(name)), signal);
    }
  } else if (stats.isFile()) {
    await copyFile(source, target);
  } else return;
  lchownSync(target, stats.uid, stats.gid);
  if (!stats.isSymbolicLink()) chmodSync(target, stats.mode & 0o7777);
  // Without them, cargo and make build everything again.
  lutimesSync(target, stats.atimeMs / 1000, stats.mtimeMs / 1000);
}
