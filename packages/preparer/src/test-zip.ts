import { lstatSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { crc32, deflateRawSync } from "node:zlib";

/** An entry of a zip archive. */
export interface ZipEntry {
  readonly name: string;
  /** Of the file, or the target of a link. */
  readonly content: Buffer;
  /** Kind and permissions, as Unix has them. */
  readonly mode: number;
}

/** Writes a directory as a zip archive, as Info-ZIP's `zip -y` does; test machines need not have it. */
export function zipDirectory(file: string, dir: string): void {
  const entries = readdirSync(dir, { recursive: true, encoding: "utf8" }).map((name) => {
    const path = join(dir, name);
    const stats = lstatSync(path);
    if (stats.isDirectory()) return { name: `${name}/`, content: Buffer.alloc(0), mode: stats.mode };
    const content = stats.isSymbolicLink() ? Buffer.from(readlinkSync(path)) : readFileSync(path);
    return { name, content, mode: stats.mode };
  });
  writeZip(file, entries);
}

/** Writes a zip archive (APPNOTE.TXT, without its 64-bit forms). */
export function writeZip(file: string, entries: readonly ZipEntry[]): void {
  const locals: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const { name, content, mode } of entries) {
    const data = deflateRawSync(content);
    const fields = Buffer.alloc(26);
    fields.writeUInt16LE(20, 0);
    fields.writeUInt16LE(8, 4);
    fields.writeUInt32LE(crc32(content), 10);
    fields.writeUInt32LE(data.length, 14);
    fields.writeUInt32LE(content.length, 18);
    fields.writeUInt16LE(Buffer.byteLength(name), 22);
    const local = Buffer.concat([Buffer.from("PK\x03\x04"), fields, Buffer.from(name), data]);
    const rest = Buffer.alloc(14);
    rest.writeUInt32LE((mode << 16) >>> 0, 6);
    rest.writeUInt32LE(offset, 10);
    // made by Unix
    directory.push(Buffer.concat([Buffer.from("PK\x01\x02"), Buffer.from([30, 3]), fields, rest, Buffer.from(name)]));
    locals.push(local);
    offset += local.length;
  }
  const central = Buffer.concat(directory);
  const end = Buffer.alloc(18);
  end.writeUInt16LE(entries.length, 4);
  end.writeUInt16LE(entries.length, 6);
  end.writeUInt32LE(central.length, 8);
  end.writeUInt32LE(offset, 12);
  writeFileSync(file, Buffer.concat([...locals, central, Buffer.from("PK\x05\x06"), end]));
}
