import { chmodSync, copyFileSync, lstatSync, mkdirSync, readdirSync, readlinkSync, symlinkSync } from "node:fs";
import { type BytePath, childPath, fromLatin1, LayerError, toBytePath, toFileSystem, toText } from "@lifecycle/layers";
import type { ArchiveLimits } from "./archive.ts";

/**
 * Copies what a directory holds into another, which is there: files with their permissions, symlinks as they are.
 *
 * @param without an entry of `from` to leave out
 * @throws LayerError `refused` for devices, sockets and pipes, and for more than the limits allow
 */
export function copyTree(from: string, to: string, limits: ArchiveLimits, without?: string): void {
  let entries = 0;
  let bytes = 0;
  const copy = (source: BytePath, target: BytePath): void => {
    for (const name of readdirSync(toFileSystem(source), { encoding: "latin1" })) {
      const [path, copied] = [childPath(source, fromLatin1(name)), childPath(target, fromLatin1(name))];
      if (without !== undefined && path === toBytePath(without)) continue;
      const stats = lstatSync(toFileSystem(path));
      entries++;
      if (entries > limits.maxEntries) throw new LayerError("refused", `more than ${limits.maxEntries} entries`);
      if (stats.isDirectory()) {
        mkdirSync(toFileSystem(copied), { mode: 0o700 });
        copy(path, copied);
        chmodSync(toFileSystem(copied), (stats.mode & 0o777) | 0o700);
      } else if (stats.isSymbolicLink()) {
        const link = fromLatin1(readlinkSync(toFileSystem(path), { encoding: "latin1" }));
        symlinkSync(toFileSystem(link), toFileSystem(copied));
      } else if (stats.isFile()) {
        bytes += stats.size;
        if (bytes > limits.maxBytes) throw new LayerError("refused", `more than ${limits.maxBytes} bytes of files`);
        copyFileSync(toFileSystem(path), toFileSystem(copied));
        chmodSync(toFileSystem(copied), (stats.mode & 0o777) | 0o600);
      } else {
        throw new LayerError("refused", `${toText(path)} is no file, directory or symlink`);
      }
    }
  };
  copy(toBytePath(from), toBytePath(to));
}
