import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { type BytePath, fromLatin1, parentPath, toBytePath } from "@lifecycle/layers";
import { makeNode } from "./make-node.ts";
import type { RootPaths } from "./root-paths.ts";
import type { Undo } from "./undo.ts";

/** Devices that programs rely on: name, major and minor number. */
const devices = [
  ["null", 1, 3],
  ["zero", 1, 5],
  ["full", 1, 7],
  ["random", 1, 8],
  ["urandom", 1, 9],
  ["tty", 5, 0],
] as const;

/** Shortcuts into /proc, where that is mounted. */
const deviceLinks = { fd: "/proc/self/fd", stdin: "fd/0", stdout: "fd/1", stderr: "fd/2" };

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
    this.#makeDevices();
    for (const path of networkFiles) this.#lendFile(path);
  }

  #makeDirectory(path: BytePath): void {
    if (this.#root.find(path) === undefined) mkdirSync(this.#root.file(path), 0o755);
  }

  #makeDevices(): void {
    const directory = this.#root.resolve(toBytePath("/dev"));
    if (this.#root.find(directory)?.isDirectory() !== true) return;
    for (const [name, major, minor] of devices) {
      const path = toBytePath(`${directory}/${name}`);
      if (this.#root.find(path)?.isCharacterDevice() === true) continue;
      try {
        rmSync(this.#root.file(path), { recursive: true, force: true });
        makeNode(this.#root.host(path), { kind: "character", major, minor });
        writeMode(this.#root, path);
      } catch {
        // Without the privilege to make devices, programs have to do without.
      }
    }
    for (const [name, target] of Object.entries(deviceLinks)) {
      const path = toBytePath(`${directory}/${name}`);
      if (this.#root.find(path) === undefined) symlinkSync(target, this.#root.file(path));
    }
  }

  #lendFile(name: string): void {
    if (!existsSync(name)) return;
    // A symlink there, which may lead to what only a running system has, makes way as a file does.
    const path = this.#root.resolve(toBytePath(name), { keepLast: true });
    if (this.#root.find(parentPath(path))?.isDirectory() !== true) return;
    const found = this.#root.find(path);
    if (found?.isDirectory() === true) return;
    const aside = found === undefined ? undefined : fromLatin1(`${path}.lifecycle-${process.pid}`);
    if (aside !== undefined) renameSync(this.#root.file(path), this.#root.file(aside));
    this.#paths.push(path, ...(aside === undefined ? [] : [aside]));
    this.#undo.later(path, () => {
      rmSync(this.#root.file(path), { recursive: true, force: true });
      if (aside !== undefined && this.#root.find(aside) !== undefined) {
        renameSync(this.#root.file(aside), this.#root.file(path));
      }
    });
    writeFileSync(this.#root.file(path), readFileSync(name), { mode: 0o644 });
  }
}

function writeMode(root: RootPaths, path: BytePath): void {
  // Whatever the umask.
  chmodSync(root.file(path), 0o666);
}
