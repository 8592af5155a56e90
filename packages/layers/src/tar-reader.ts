import { type BytePath, fromLatin1 } from "./byte-path.ts";
import { LayerError } from "./errors.ts";
import { blockSize, xattrPrefix } from "./tar-header.ts";

/** An entry as an archive has it. */
export interface ReadEntry {
  /** As written: perhaps relative, with `..` or a slash at its end. */
  readonly name: BytePath;
  /** The typeflag (POSIX pax); the NUL of the oldest format is told apart into file and directory by the name's end. */
  readonly type: string;
  /** Permission, setuid, setgid and sticky bits. */
  readonly mode: number;
  /** How many bytes of contents follow; 0 for types that have none, whatever the header says. */
  readonly size: number;
  readonly linkName: BytePath;
  readonly uid: number;
  readonly gid: number;
  /** Seconds since 1970; 0 for what is before, or no number. */
  readonly mtime: number;
  readonly deviceMajor: number;
  readonly deviceMinor: number;
  /** Extended attributes by name; values and names are bytes, one character each. */
  readonly xattrs: ReadonlyMap<string, string>;
}

/** Takes what a reader finds: an entry, then its contents in as many pieces as they come, then its end. */
export interface EntrySink {
  begin(entry: ReadEntry): void;
  /** Only valid during the call. */
  contents(bytes: Uint8Array): void;
  end(): void;
}

/** How long a PAX or GNU extended header may be, in bytes; the limit of Go's archive/tar and libarchive. */
const extendedLimit = 1 << 20;

/** Types without contents: links, devices, directories and pipes. */
const headerOnly = new Set(["1", "2", "3", "4", "5", "6"]);

const noXattrs: ReadonlyMap<string, string> = new Map();

const zeroBlock = Buffer.alloc(blockSize);

/** What the extended headers before an entry say of it. */
interface Extended {
  path?: BytePath;
  linkPath?: BytePath;
  size?: number;
  uid?: number;
  gid?: number;
  mtime?: number;
  xattrs?: Map<string, string>;
}

/**
 * Reads a tar archive of the USTAR, PAX, GNU or V7 format as it streams in. Names stay the bytes they are, so that a
 * layer with any names that Linux allows comes back unchanged; the `tar` package turns names into text and would not.
 */
export class TarReader {
  readonly #sink: EntrySink;
  /** Collects a header or an extended header, which may come in pieces. */
  #collected = Buffer.alloc(blockSize);
  #collectedLength = 0;
  /** The type of the extended header whose body is collected; undefined while a header is. */
  #extendedType: string | undefined;
  #extended: Extended = {};
  /** Whether an entry has begun whose end is to come. */
  #inEntry = false;
  #contentsLeft = 0;
  #paddingLeft = 0;
  #offset = 0;
  #sawZeroBlock = false;
  #ended = false;

  constructor(sink: EntrySink) {
    this.#sink = sink;
  }

  /**
   * Takes the next bytes of the archive; what follows its end blocks is ignored.
   * @throws LayerError `corrupt` for a damaged archive, and what the sink throws
   */
  write(bytes: Uint8Array): void {
    let position = 0;
    while (position < bytes.length && !this.#ended) {
      if (this.#contentsLeft > 0) {
        const length = Math.min(this.#contentsLeft, bytes.length - position);
        this.#sink.contents(bytes.subarray(position, position + length));
        this.#contentsLeft -= length;
        position += length;
        this.#finishEntryIfDone();
      } else if (this.#paddingLeft > 0) {
        const length = Math.min(this.#paddingLeft, bytes.length - position);
        this.#paddingLeft -= length;
        position += length;
      } else {
        const length = Math.min(this.#collected.length - this.#collectedLength, bytes.length - position);
        this.#collected.set(bytes.subarray(position, position + length), this.#collectedLength);
        this.#collectedLength += length;
        position += length;
        if (this.#collectedLength === this.#collected.length) this.#takeCollected();
      }
    }
    this.#offset += position;
  }

  /**
   * Says that there are no more bytes. End blocks may be missing, and what fills up the last entry's block: some programs
   * (umoci insert) write such layers, and Go's reader takes them.
   * @throws LayerError `corrupt` if the archive ends within an entry
   */
  finish(): void {
    const complete = this.#collectedLength === 0 && this.#extendedType === undefined && !this.#inEntry;
    if (!this.#ended && !complete) throw this.#damaged("it ends within an entry");
  }

  #takeCollected(): void {
    const collected = this.#collected;
    const type = this.#extendedType;
    this.#collectedLength = 0;
    if (type === undefined) {
      this.#takeHeader(collected);
      return;
    }
    this.#extendedType = undefined;
    this.#paddingLeft = -collected.length & (blockSize - 1);
    this.#collected = Buffer.alloc(blockSize);
    if (type === "x") this.#takeRecords(collected);
    else if (type === "L") this.#extended.path = fromLatin1(textOf(collected, 0, collected.length));
    else if (type === "K") this.#extended.linkPath = fromLatin1(textOf(collected, 0, collected.length));
  }

  #takeHeader(block: Buffer): void {
    if (zeroBlock.equals(block)) {
      this.#ended = this.#sawZeroBlock;
      this.#sawZeroBlock = true;
      return;
    }
    if (this.#sawZeroBlock) throw this.#damaged("there is data after its end");
    this.#checkSum(block);
    const type = block.toString("latin1", 156, 157);
    const size = this.#number(block, 124, 12);
    if (type === "x" || type === "g" || type === "L" || type === "K") {
      if (size > extendedLimit) throw this.#damaged(`an extended header of ${size} bytes is too long`);
      if (size === 0) return;
      this.#extendedType = type;
      this.#collected = Buffer.alloc(size);
      return;
    }
    this.#begin(this.#entryOf(block, type, size));
  }

  #entryOf(block: Buffer, type: string, headerSize: number): ReadEntry {
    const extended = this.#extended;
    this.#extended = {};
    const name = extended.path ?? fromLatin1(nameOf(block));
    const oldType = name.endsWith("/") ? "5" : "0";
    const size = extended.size ?? headerSize;
    const isDevice = type === "3" || type === "4";
    return {
      name,
      type: type === "\0" ? oldType : type,
      mode: this.#number(block, 100, 8) & 0o7777,
      size: headerOnly.has(type) ? 0 : size,
      linkName: extended.linkPath ?? fromLatin1(textOf(block, 157, 100)),
      uid: extended.uid ?? this.#number(block, 108, 8),
      gid: extended.gid ?? this.#number(block, 116, 8),
      mtime: extended.mtime ?? this.#time(block),
      deviceMajor: isDevice ? this.#number(block, 329, 8) : 0,
      deviceMinor: isDevice ? this.#number(block, 337, 8) : 0,
      xattrs: extended.xattrs ?? noXattrs,
    };
  }

  #begin(entry: ReadEntry): void {
    this.#inEntry = true;
    this.#contentsLeft = entry.size;
    this.#paddingLeft = -entry.size & (blockSize - 1);
    this.#sink.begin(entry);
    this.#finishEntryIfDone();
  }

  #finishEntryIfDone(): void {
    if (this.#contentsLeft > 0) return;
    this.#inEntry = false;
    this.#sink.end();
  }

  /** Takes the records of a PAX extended header: `<length> <key>=<value>\n`. An empty value unsets what was before. */
  #takeRecords(body: Buffer): void {
    // Those of another extended header before it do not count, or they could pile up without end.
    delete this.#extended.xattrs;
    for (let start = 0; start < body.length; ) {
      const space = body.indexOf(" ", start);
      const digits = space < 0 ? "" : body.toString("latin1", start, space);
      const end = start + Number.parseInt(digits, 10);
      const equals = body.indexOf("=", space);
      const complete = end <= body.length && body[end - 1] === 0x0a && equals > 0 && equals < end;
      if (!/^[0-9]{1,10}$/.test(digits) || !complete) throw this.#damaged("a PAX record is malformed");
      this.#takeRecord(body.toString("latin1", space + 1, equals), body.toString("latin1", equals + 1, end - 1));
      start = end;
    }
  }

  #takeRecord(key: string, value: string): void {
    if (key.startsWith("GNU.sparse.")) throw this.#damaged("its sparse entries are not supported");
    if (value === "") return;
    if (key === "path" || key === "linkpath") {
      if (value.includes("\0")) throw this.#damaged("a name has a NUL in it");
      this.#extended[key === "path" ? "path" : "linkPath"] = fromLatin1(value);
    } else if (key === "size" || key === "uid" || key === "gid") {
      const number = /^[0-9]+$/.test(value) ? Number(value) : Number.NaN;
      if (!Number.isSafeInteger(number)) throw this.#damaged(`${JSON.stringify(value)} is no ${key}`);
      this.#extended[key] = number;
    } else if (key === "mtime") {
      this.#extended.mtime = timeOf(Number(value));
    } else if (key.startsWith(xattrPrefix)) {
      this.#extended.xattrs ??= new Map();
      this.#extended.xattrs.set(key.slice(xattrPrefix.length), value);
    }
  }

  #time(block: Buffer): number {
    try {
      return timeOf(this.#number(block, 136, 12));
    } catch {
      // no reason to do without the file
      return 0;
    }
  }

  /** Compares the checksum with the sum of all bytes, taken as unsigned or, as some old writers did, as signed. */
  #checkSum(block: Buffer): void {
    const expected = this.#number(block, 148, 8);
    let unsigned = 0;
    let signed = 0;
    for (let index = 0; index < blockSize; index++) {
      const byte = index >= 148 && index < 156 ? 0x20 : (block[index] ?? 0);
      unsigned += byte;
      signed += byte < 0x80 ? byte : byte - 0x100;
    }
    if (expected !== unsigned && expected !== signed) throw this.#damaged("a header's checksum is wrong");
  }

  /** A number in octal digits, or for one too large in GNU's binary form, marked by its highest bit. */
  #number(block: Buffer, offset: number, length: number): number {
    if (((block[offset] ?? 0) & 0x80) !== 0) {
      // A set second bit makes the number negative, which nothing that is read here can be.
      let value = (block[offset] ?? 0) & 0x7f;
      for (let index = offset + 1; index < offset + length; index++) value = value * 256 + (block[index] ?? 0);
      if (!Number.isSafeInteger(value)) throw this.#damaged("a number is out of range");
      return value;
    }
    const digits = block.toString("latin1", offset, offset + length).replace(/^[ \0]+|[ \0].*$/gs, "");
    if (!/^[0-7]*$/.test(digits)) throw this.#damaged(`${JSON.stringify(digits)} is no octal number`);
    return digits === "" ? 0 : Number.parseInt(digits, 8);
  }

  #damaged(what: string): LayerError {
    return new LayerError("corrupt", `the layer's archive is damaged near byte ${this.#offset}: ${what}`);
  }
}

/** A time that every file system can keep. */
function timeOf(seconds: number): number {
  return seconds >= 0 && seconds < 2 ** 32 ? seconds : 0;
}

/** The text of a field up to its first NUL. */
function textOf(block: Buffer, offset: number, length: number): string {
  const end = block.indexOf(0, offset);
  return block.toString("latin1", offset, end < 0 ? offset + length : Math.min(end, offset + length));
}

function nameOf(block: Buffer): string {
  const name = textOf(block, 0, 100);
  const isUstar = block.toString("latin1", 257, 263) === "ustar\0";
  if (!isUstar) return name;
  // Schily's star keeps times in the prefix's last bytes and says so at the end of the block.
  const isStar = block.toString("latin1", 508, 512) === "tar\0";
  const prefix = textOf(block, 345, isStar ? 131 : 155);
  return prefix === "" ? name : `${prefix}/${name}`;
}
