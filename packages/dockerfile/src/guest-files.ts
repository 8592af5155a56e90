import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename } from "node:path";
import { type BytePath, parentPath, toBytePath } from "@lifecycle/layers";
import { moveAside } from "./aside.ts";
import { makeDevices } from "./devices.ts";
import type { RootPaths } from "./root-paths.ts";
import type { Undo } from "./undo.ts";

/** How a machine's network is described; programs in a root see those of the machine they run on. */
const networkFiles = ["/etc/resolv.conf", "/etc/hosts"];

/**
 * What a program in a directory needs of the machine around it, for as long as it runs: devices, and the files that say
 * how to reach the network. None of it becomes part of an image, nor does what the program does to it.
 */
export class GuestFiles {
  readonly #root: RootPaths;
  readonly #undo: Undo;
  readonly #paths: BytePath[] = [];

  /** @param undo is told how to take back what is lent */
  constructor(root: RootPaths, undo: Undo) {
    this.#root = root;
    this.#undo = undo;
  }

  /** The files that are lent, and where those that they stand for lie meanwhile. */
  get paths(): readonly BytePath[] {
    return this.#paths;
  }

  /** Puts everything in its place. Where `/` is the root, it is there already. */
  lend(): void {
    if (this.#root.directory === "/") return;
    for (const name of ["proc", "sys", "dev"]) this.#makeDirectory(toBytePath(`/${name}`));
    const devices = this.#root.resolve(toBytePath("/dev"));
    // What cannot be made, programs have to do without.
    if (this.#root.find(devices)?.isDirectory() === true) makeDevices(this.#root, devices);
    for (const path of networkFiles) this.#lendFile(path);
  }

  #makeDirectory(path: BytePath): void {
    if (this.#root.find(path) === undefined) mkdirSync(this.#root.file(path), 0o755);
  }

  #lendFile(name: string): void {
    if (!existsSync(name)) return;
    // A symlink there, which may lead to what only a running system has, makes way as a file does.
    const path = this.#root.resolve(toBytePath(name), { keepLast: true });
    if (this.#root.find(parentPath(path))?.isDirectory() !== true) return;
    if (this.#root.find(path)?.isDirectory() === true) return;
    // At the top, where a program that copies /etc does not come upon it.
    const top = toBytePath(`/.lifecycle-${basename(name)}-${process.pid}`);
    const aside = moveAside(this.#root, path, this.#undo, top);
    this.#paths.push(path, ...(aside === undefined ? [] : [aside]));
    writeFileSync(this.#root.file(path), readFileSync(name), { mode: 0o644 });
  }
}
