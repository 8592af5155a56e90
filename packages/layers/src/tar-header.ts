import { type BytePath, isAscii } from "./byte-path.ts";

/** The size of a header and the unit that contents are padded to, in bytes. */
export const blockSize = 512;

/** The time of every entry of a layer: 1980-01-01T00:00:01Z, in seconds since 1970. */
export const normalizedTime = 315_532_801;

/** The types of entries that layers are written with (POSIX pax, typeflag). */
export const entryType = {
  file: "0",
  hardLink: "1",
  symlink: "2",
  characterDevice: "3",
  blockDevice: "4",
  directory: "5",
  fifo: "6",
} as const;

export type EntryType = (typeof entryType)[keyof typeof entryType];

/** What one entry of a layer says of itself. Time, user name and group name are the same for all and left out. */
export interface TarHeader {
  /** No slash at its end, also for directories. An absolute path in layers of the lifecycle's own. */
  readonly name: BytePath;
  readonly type: EntryType;
  /** Permission, setuid, setgid and sticky bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Of a file's contents, in bytes; 0 for all other types. */
  readonly size: number;
  /** Where a symlink points, as it stands; else empty. */
  readonly linkName: string;
  readonly deviceMajor: number;
  readonly deviceMinor: number;
  /** Extended attributes by name; values and names are bytes, one character each. None unless given. */
  readonly xattrs?: ReadonlyMap<string, string>;
}

/** What PAX records of extended attributes begin with. */
export const xattrPrefix = "SCHILY.xattr.";

/** The fields that both header formats have: offset and length in bytes. */
const field = {
  name: [0, 100],
  mode: [100, 8],
  uid: [108, 8],
  gid: [116, 8],
  size: [124, 12],
  time: [136, 12],
  checksum: [148, 8],
  type: [156, 1],
  linkName: [157, 100],
  magic: [257, 8],
  deviceMajor: [329, 8],
  deviceMinor: [337, 8],
  prefix: [345, 155],
} as const;

const [, nameLength] = field.name;
const [, prefixLength] = field.prefix;

/** The largest number that an octal field of that many bytes holds, its NUL terminator left out. */
function octalLimit(length: number): number {
  return 8 ** (length - 1) - 1;
}

const idLimit = octalLimit(field.uid[1]);
const sizeLimit = octalLimit(field.size[1]);

/**
 * The header of an entry: a USTAR block, preceded by a PAX extended header where a field does not fit. The bytes are
 * those of Go's archive/tar for the same values; docs/layer-bytes.md has the rules.
 */
export function encodeHeader(header: TarHeader): Buffer {
  // In the order of their keys.
  const records: [key: string, value: string][] = [...(header.xattrs ?? [])]
    .map(([name, value]): [string, string] => [`${xattrPrefix}${name}`, value])
    .sort(([a], [b]) => (a < b ? -1 : 1));
  if (header.gid > idLimit) records.push(["gid", String(header.gid)]);
  if (needsRecord(header.linkName)) records.push(["linkpath", header.linkName]);
  const split = needsRecord(header.name) ? splitName(header.name) : undefined;
  const onlyPath = records.length === 0 && split !== undefined && header.uid <= idLimit && header.size <= sizeLimit;
  if (onlyPath) return ustarBlock(header, split.suffix, header.linkName, split.prefix);
  if (needsRecord(header.name)) records.push(["path", header.name]);
  if (header.size > sizeLimit) records.push(["size", String(header.size)]);
  if (header.uid > idLimit) records.push(["uid", String(header.uid)]);
  if (records.length === 0) return ustarBlock(header, header.name, header.linkName, "");
  const extended = extendedHeader(header.name, records);
  return Buffer.concat([extended, ustarBlock(header, asciiOnly(header.name), asciiOnly(header.linkName), "")]);
}

function needsRecord(text: string): boolean {
  return text.length > nameLength || !isAscii(text);
}

/** Splits a long ASCII name for USTAR's prefix and name fields, at the last slash that the prefix has room for. */
function splitName(name: string): { prefix: string; suffix: string } | undefined {
  if (!isAscii(name)) return undefined;
  const slash = name.lastIndexOf("/", prefixLength);
  const suffix = name.slice(slash + 1);
  if (slash <= 0 || suffix.length === 0 || suffix.length > nameLength) return undefined;
  return { prefix: name.slice(0, slash), suffix };
}

/** A PAX extended header (POSIX pax, "Extended Header"): a pseudo file with one line per record. */
function extendedHeader(name: string, records: readonly (readonly [string, string])[]): Buffer {
  const body = records.map(([key, value]) => paxRecord(key, value)).join("");
  const block = Buffer.alloc(blockSize);
  const slash = name.lastIndexOf("/");
  const file = name.slice(slash + 1);
  const pseudoName = `${name.slice(0, slash + 1)}PaxHeaders.0${file === "" ? "" : `/${file}`}`;
  writeText(block, field.name, asciiOnly(pseudoName).slice(0, nameLength).replace(/\/+$/, ""));
  for (const numeric of [field.mode, field.uid, field.gid, field.time]) writeOctal(block, numeric, 0);
  writeOctal(block, field.size, body.length);
  finishBlock(block, "x");
  const padded = Buffer.alloc(Math.ceil(body.length / blockSize) * blockSize);
  padded.write(body, "latin1");
  return Buffer.concat([block, padded]);
}

/** `<length> <key>=<value>\n`, where the length counts the record's own bytes, its digits too. */
function paxRecord(key: string, value: string): string {
  const rest = ` ${key}=${value}\n`;
  let length = rest.length + String(rest.length).length;
  length = rest.length + String(length).length;
  return `${length}${rest}`;
}

const template = Buffer.alloc(blockSize);
writeOctal(template, field.time, normalizedTime);

function ustarBlock(header: TarHeader, name: string, linkName: string, prefix: string): Buffer {
  const block = Buffer.allocUnsafe(blockSize);
  template.copy(block);
  writeText(block, field.name, name);
  writeOctal(block, field.mode, header.mode);
  writeOctal(block, field.uid, header.uid);
  writeOctal(block, field.gid, header.gid);
  writeOctal(block, field.size, header.size);
  if (linkName !== "") writeText(block, field.linkName, linkName);
  writeOctal(block, field.deviceMajor, header.deviceMajor);
  writeOctal(block, field.deviceMinor, header.deviceMinor);
  if (prefix !== "") writeText(block, field.prefix, prefix);
  finishBlock(block, header.type);
  return block;
}

function finishBlock(block: Buffer, type: string): void {
  writeText(block, field.type, type);
  writeText(block, field.magic, "ustar\x0000");
  block.fill(" ", field.checksum[0], field.checksum[0] + field.checksum[1]);
  let sum = 0;
  for (let index = 0; index < blockSize; index++) sum += block[index] ?? 0;
  // Unlike the other numbers this one ends with a NUL and a space.
  writeOctal(block, [field.checksum[0], field.checksum[1] - 1], sum);
}

/** Writes as much of an ASCII text as fits. A cut that would leave a slash at the end drops that slash. */
function writeText(block: Buffer, [offset, length]: readonly [number, number], text: string): void {
  block.write(text, offset, length, "latin1");
  if (text.length > length && text[length - 1] === "/") {
    const kept = text.slice(0, length - 1).replace(/\/+$/, "").length;
    block[offset + kept] = 0;
  }
}

/** Writes a number with leading zeros and a NUL at its end; one that does not fit, which PAX carries, as zero. */
function writeOctal(block: Buffer, [offset, length]: readonly [number, number], value: number): void {
  const digits = value.toString(8);
  const fitting = digits.length < length ? digits : "0";
  block.write(fitting.padStart(length - 1, "0"), offset, "latin1");
  block[offset + length - 1] = 0;
}

/** Drops every byte that is not ASCII, as best effort for readers that know no PAX. */
function asciiOnly(text: string): string {
  return isAscii(text) ? text : text.replace(/[\u0080-\uffff]/g, "");
}
