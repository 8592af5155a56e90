import {
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  fstatSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readlinkSync,
  rmdirSync,
  type Stats,
  unlinkSync,
} from "node:fs";
import { dirname } from "node:path";
import { systemCode } from "@lifecycle/syscall";

/** A message in which directories that are held have the names that users know them by. */
export function withRealPaths(message: string): string {
  return message.replaceAll(/\/proc\/self\/fd\/\d+/g, (path) => {
    try {
      return readlinkSync(path);
    } catch {
      return path;
    }
  });
}

/** A directory that is held open: whoever can write to what is above it cannot put another one in its place. */
export class HeldDirectory {
  readonly #fd: number;

  private constructor(fd: number) {
    this.#fd = fd;
  }

  /** @throws Error with code ENOTDIR also for a symlink to a directory */
  static open(path: string | Buffer): HeldDirectory {
    return new HeldDirectory(openSync(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW));
  }

  /** Opens a directory after making it, and those above it, if it is not there. @param mode if it is made */
  static openOrMake(path: string, mode: number): HeldDirectory {
    mkdirSync(dirname(path), { recursive: true });
    try {
      return HeldDirectory.make(path, mode);
    } catch (error) {
      if (systemCode(error) === "EEXIST") return HeldDirectory.open(path);
      throw error;
    }
  }

  /** Makes a directory that nobody else can have made. */
  static make(path: string, mode: number): HeldDirectory {
    mkdirSync(path, { mode: 0o700 });
    const directory = HeldDirectory.open(path);
    try {
      if (directory.stats().uid !== process.getuid?.()) throw new Error(`somebody put another directory at ${path}`);
      directory.chmod(mode);
      return directory;
    } catch (error) {
      directory.close();
      throw error;
    }
  }

  /** Leads to it in this process, as long as it is open. */
  get path(): string {
    return `/proc/self/fd/${this.#fd}`;
  }

  stats(): Stats {
    return fstatSync(this.#fd);
  }

  chmod(mode: number): void {
    fchmodSync(this.#fd, mode);
  }

  chown(uid: number, gid: number): void {
    fchownSync(this.#fd, uid, gid);
  }

  /**
   * Removes what it has under a name, if there is such a thing, and follows no symlinks, also if others make some.
   * @param name as bytes if it may not be UTF-8
   */
  remove(name: string | Buffer): void {
    const path = Buffer.concat([Buffer.from(`${this.path}/`), Buffer.from(name)]);
    const found = lstatSync(path, { throwIfNoEntry: false });
    if (found === undefined) return;
    if (!found.isDirectory()) {
      unlinkSync(path);
      return;
    }
    const directory = HeldDirectory.open(path);
    try {
      for (const each of readdirSync(directory.path, { encoding: "buffer" })) directory.remove(each);
    } finally {
      directory.close();
    }
    rmdirSync(path);
  }

  close(): void {
    closeSync(this.#fd);
  }
}
