import { execFileSync } from "node:child_process";
import { type BytePath, toText } from "@lifecycle/layers";
import { libc, messageOf, textOfErrno } from "@lifecycle/syscall";
import { InstructionError } from "./error.ts";
import type { SpecialFile } from "./tree-writer.ts";

/** mknodat(2) by number, since the C library has it as a function only since glibc 2.33. */
const mknodat = process.arch === "arm64" ? 33 : 259;
const AT_FDCWD = -100;

const typeBits = { fifo: 0o010000, character: 0o020000, block: 0o060000 } as const;

/** Makes a device or a pipe that only root may use so far. @throws InstructionError `failed` */
export function makeNode(path: BytePath, { kind, major, minor }: SpecialFile): void {
  const c = libc();
  try {
    if (c === undefined) {
      const numbers = kind === "fifo" ? [] : [String(major), String(minor)];
      execFileSync("mknod", ["-m", "600", path, kind[0] === "f" ? "p" : kind[0], ...numbers].map(String), {
        stdio: "ignore",
      });
      return;
    }
    const file = c.text(path);
    // makedev(3)
    const device = BigInt((minor & 0xff) | ((major & 0xfff) << 8)) | (BigInt(minor & 0xfff00) << 12n);
    const mode = typeBits[kind] | 0o600;
    if (Number(c.call.syscall(mknodat, AT_FDCWD, c.pointer(file), mode, device)) !== 0) {
      throw new Error(`mknod: ${textOfErrno(c.errno())}`);
    }
  } catch (error) {
    throw new InstructionError("failed", `${toText(path)} cannot be made: ${messageOf(error)}`);
  }
}
