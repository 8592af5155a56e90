import type { BytePath } from "@lifecycle/layers";
import { libc } from "@lifecycle/syscall";
import { InstructionError } from "./error.ts";

/** Extended attributes by name, in the order of their names. Names and values are bytes, one character each. */
export type Xattrs = ReadonlyMap<string, string>;

/** Attributes that belong to an image; others are the machine's own (SELinux labels, overlay's bookkeeping). */
const belongs = /^(?:security\.capability|user\.(?!overlay\.).+|system\.posix_acl_(?:access|default))$/;

const none: Xattrs = new Map();
const names = Buffer.alloc(65_536);
const value = Buffer.alloc(65_536);

/** A path's own extended attributes, a symlink not followed. None where they cannot be read, as under Node. */
export function readXattrs(path: BytePath): Xattrs {
  const c = libc();
  if (c === undefined) return none;
  const file = c.text(path);
  const length = Number(c.call.llistxattr(c.pointer(file), c.pointer(names), names.length));
  if (length <= 0) return none;
  const found = new Map<string, string>();
  for (const name of names.toString("latin1", 0, length).split("\0").sort()) {
    if (!belongs.test(name)) continue;
    const key = c.text(name);
    const size = Number(c.call.lgetxattr(c.pointer(file), c.pointer(key), c.pointer(value), value.length));
    if (size >= 0) found.set(name, value.toString("latin1", 0, size));
  }
  return found;
}

/**
 * Gives a path extended attributes, a symlink not followed. Those that a file system cannot have are left out, but for
 * capabilities, without which programs do not work.
 * @throws InstructionError `failed`
 */
export function writeXattrs(path: BytePath, xattrs: Xattrs): void {
  const c = libc();
  for (const [name, bytes] of xattrs) {
    if (!belongs.test(name)) continue;
    if (c !== undefined) {
      const texts = [path, name, bytes].map((text) => c.text(text));
      const pointers = texts.map((text) => c.pointer(text));
      if (c.call.lsetxattr(...pointers, bytes.length, 0) === 0) continue;
    }
    if (name === "security.capability") {
      throw new InstructionError("failed", `the capabilities of ${path} cannot be set on this file system`);
    }
  }
}
