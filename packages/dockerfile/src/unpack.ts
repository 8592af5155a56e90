import { lutimesSync, readdirSync, rmSync } from "node:fs";
import {
  type BytePath,
  childPath,
  type EntrySink,
  fromLatin1,
  type Owner,
  parentPath,
  type ReadEntry,
  TarReader,
  toBytePath,
  toText,
} from "@lifecycle/layers";
import { InstructionError } from "./error.ts";
import type { RootPaths } from "./root-paths.ts";
import { type Attributes, type FileWriter, impliedDirectory, TreeWriter } from "./tree-writer.ts";

/** How an archive is put into a root. */
export interface UnpackOptions {
  /** An image's layer has whiteouts and may have devices; any other archive has neither. */
  readonly kind: "layer" | "archive";
  /** The directory that entries are relative to, resolved; `/` unless given. */
  readonly into?: BytePath;
  /** Who is to own everything; by default whom the archive names. */
  readonly owner?: Owner;
  /** Says which paths are passed over. */
  readonly isIgnored?: (path: BytePath) => boolean;
  /** How many bytes all files may have together; by default 1 TiB. */
  readonly maxBytes?: number;
  /** How many entries there may be; by default 20 million. */
  readonly maxEntries?: number;
  readonly signal?: AbortSignal;
}

const opaque = ".wh..wh..opq";
const whiteout = ".wh.";

/**
 * Puts a tar stream's entries into a root, with their owners, modes, times and extended attributes. Needs root.
 * @returns the paths written
 * @throws InstructionError `refused` for names with `..`, devices in an archive and archives past the limits; LayerError
 *   `corrupt`; and what the source throws
 */
export async function unpack(
  source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  root: RootPaths,
  options: UnpackOptions,
): Promise<ReadonlySet<BytePath>> {
  const unpacker = new Unpacker(root, options);
  const reader = new TarReader(unpacker);
  try {
    for await (const chunk of source) {
      options.signal?.throwIfAborted();
      reader.write(chunk);
    }
    reader.finish();
    unpacker.finish();
  } finally {
    unpacker.close();
  }
  return unpacker.touched;
}

class Unpacker implements EntrySink {
  readonly #root: RootPaths;
  readonly #options: UnpackOptions;
  readonly #writer: TreeWriter;
  #file: FileWriter | undefined;
  /**
   * What the last entry lies in: its name in the archive, and where that has led to. It is the same for most entries that
   * follow each other, and nothing that is put into a directory changes where that is.
   */
  #directory: { readonly name: string; readonly path: BytePath } | undefined;
  /** When each directory was changed; set at the end, since what is put into it changes it. */
  readonly #directoryTimes = new Map<BytePath, number>();
  #entries = 0;
  #bytes = 0;

  constructor(root: RootPaths, options: UnpackOptions) {
    this.#root = root;
    this.#options = options;
    this.#writer = new TreeWriter(root);
  }

  get touched(): ReadonlySet<BytePath> {
    return this.#writer.touched;
  }

  begin(entry: ReadEntry): void {
    this.#limit(entry);
    const into = this.#options.into ?? toBytePath("/");
    const name = this.#checked(entry.name, entry.name);
    if (name === "") {
      // The directory itself.
      if (entry.type === "5" && into !== "/") this.#writer.directory(into, this.#attributes(entry));
      return;
    }
    const end = name.lastIndexOf("/");
    const directory = name.slice(0, Math.max(end, 0));
    if (this.#directory?.name !== directory) this.#directory = undefined;
    const parent = this.#directory?.path ?? this.#root.resolve(fromLatin1(`${into}/${directory}`));
    const path = childPath(parent, fromLatin1(name.slice(end + 1)));
    if (this.#options.isIgnored?.(path) === true) return;
    if (this.#options.kind === "layer" && this.#takeWhiteout(path)) return;
    if (this.#directory === undefined) this.#writer.makeDirectories(parent, impliedDirectory);
    this.#directory = { name: directory, path: parent };
    this.#put(path, entry);
  }

  contents(bytes: Uint8Array): void {
    this.#file?.write(bytes);
  }

  end(): void {
    const file = this.#file;
    this.#file = undefined;
    file?.close();
  }

  /** Says that there are no more entries. */
  finish(): void {
    // A later entry can have put a symlink in its place, or above.
    const known = new Set<string>(["/"]);
    const isDirectory = (path: BytePath): boolean => {
      if (known.has(path)) return true;
      const found = isDirectory(parentPath(path)) && this.#root.find(path)?.isDirectory() === true;
      if (found) known.add(path);
      return found;
    };
    for (const [path, time] of this.#directoryTimes) {
      if (isDirectory(path)) lutimesSync(this.#root.file(path), time, time);
    }
  }

  close(): void {
    this.#file?.abandon();
    this.#file = undefined;
  }

  #put(path: BytePath, entry: ReadEntry): void {
    const attributes = this.#attributes(entry);
    switch (entry.type) {
      case "0":
      case "7":
        this.#file = this.#writer.file(path, attributes);
        return;
      case "1": {
        const target = this.#checked(entry.linkName, entry.name);
        const into = this.#options.into ?? toBytePath("/");
        this.#writer.hardLink(path, this.#root.resolve(fromLatin1(`${into}/${target}`), { keepLast: true }));
        return;
      }
      case "2":
        if (entry.linkName === "") throw refused(entry.name, "it points nowhere");
        this.#writer.symlink(path, entry.linkName, attributes);
        return;
      case "5":
        this.#writer.directory(path, attributes);
        this.#directoryTimes.set(path, entry.mtime);
        return;
      case "6":
        this.#writer.special(path, { kind: "fifo", major: 0, minor: 0 }, attributes);
        return;
      case "3":
      case "4": {
        if (this.#options.kind === "archive") throw refused(entry.name, "it is a device");
        const kind = entry.type === "3" ? "character" : "block";
        this.#writer.special(path, { kind, major: entry.deviceMajor, minor: entry.deviceMinor }, attributes);
        return;
      }
      default:
        throw refused(entry.name, `its type ${JSON.stringify(entry.type)} is unknown`);
    }
  }

  /** Carries out a whiteout (OCI image spec, layer.md). @returns whether the entry was one */
  #takeWhiteout(path: BytePath): boolean {
    const directory = parentPath(path);
    const name = path.slice(path.lastIndexOf("/") + 1);
    if (name === opaque) {
      this.#emptyDirectory(directory);
      return true;
    }
    if (!name.startsWith(whiteout)) return false;
    // Names with a second prefix are bookkeeping of old storage drivers.
    if (!name.startsWith(whiteout + whiteout)) {
      const gone = name.slice(whiteout.length);
      if (gone === "" || gone === "." || gone === "..")
        throw refused(path, "it removes what is no name in its directory");
      this.#writer.remove(childPath(directory, fromLatin1(gone)));
    }
    return true;
  }

  /** Removes what lower layers put into a directory; what this layer put there stays. */
  #emptyDirectory(directory: BytePath): void {
    if (this.#root.find(directory)?.isDirectory() !== true) return;
    for (const name of readdirSync(this.#root.file(directory), { encoding: "latin1" })) {
      const path = childPath(directory, fromLatin1(name));
      if (this.#writer.touched.has(path) || this.#options.isIgnored?.(path) === true) continue;
      rmSync(this.#root.file(path), { recursive: true, force: true });
    }
  }

  /** The name as a relative path. */
  #checked(name: BytePath, entryName: BytePath): string {
    const steps = name.split("/").filter((step) => step !== "" && step !== ".");
    if (steps.includes("..")) throw refused(entryName, "its path has '..' in it");
    if (name.includes("\0")) throw refused(entryName, "its path has a NUL in it");
    return steps.join("/");
  }

  #attributes({ mode, uid, gid, mtime, xattrs }: ReadEntry): Attributes {
    return { mode, uid, gid, mtime, ...this.#options.owner, xattrs };
  }

  #limit(entry: ReadEntry): void {
    const { maxEntries = 20e6, maxBytes = 2 ** 40 } = this.#options;
    this.#entries++;
    this.#bytes += entry.size;
    if (this.#entries > maxEntries) throw new InstructionError("refused", `it has more than ${maxEntries} entries`);
    if (this.#bytes > maxBytes) throw new InstructionError("refused", `its files have more than ${maxBytes} bytes`);
  }
}

function refused(name: BytePath, why: string): InstructionError {
  return new InstructionError("refused", `entry ${toText(name)} of the archive is refused: ${why}`);
}
