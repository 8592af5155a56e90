/** The part of `bun:ffi` that is used here. */
interface Ffi {
  dlopen<Name extends string>(
    library: string,
    symbols: Record<Name, { args: readonly string[]; returns: string }>,
  ): { symbols: Record<Name, (...args: readonly unknown[]) => number> };
  ptr(bytes: ArrayBufferView): number;
  read: { i32(address: number, offset: number): number };
}

const signatures = {
  llistxattr: { args: ["ptr", "ptr", "u64"], returns: "i64" },
  lgetxattr: { args: ["ptr", "ptr", "ptr", "u64"], returns: "i64" },
  lsetxattr: { args: ["ptr", "ptr", "ptr", "u64", "i32"], returns: "i32" },
  syscall: { args: ["i64", "i64", "ptr", "u64", "u64"], returns: "i64" },
  pipe2: { args: ["ptr", "i32"], returns: "i32" },
  chroot: { args: ["ptr"], returns: "i32" },
  chdir: { args: ["ptr"], returns: "i32" },
  setgroups: { args: ["u64", "ptr"], returns: "i32" },
  setgid: { args: ["u32"], returns: "i32" },
  setuid: { args: ["u32"], returns: "i32" },
  execve: { args: ["ptr", "ptr", "ptr"], returns: "i32" },
  unshare: { args: ["i32"], returns: "i32" },
  mount: { args: ["ptr", "ptr", "ptr", "u64", "ptr"], returns: "i32" },
  getppid: { args: [], returns: "i32" },
  prctl: { args: ["i32", "u64", "u64", "u64", "u64"], returns: "i32" },
  signal: { args: ["i32", "u64"], returns: "u64" },
  sigprocmask: { args: ["i32", "ptr", "ptr"], returns: "i32" },
  __errno_location: { args: [], returns: "ptr" },
} as const;

/** Calls of the C library that node has no names for. Arguments of 64 bits are given as bigint. */
export interface Libc {
  /** By name. They give what the C functions return; of most of them that is not 0 if they failed. */
  readonly call: Record<keyof typeof signatures, (...args: readonly unknown[]) => number>;
  /** A C string, of bytes as one character each; it must be held until the call has ended. */
  text(value: string): Buffer;
  pointer(bytes: ArrayBufferView): number;
  /** The error number of the call before. */
  errno(): number;
}

let loaded: Libc | undefined;

/** The C library, or undefined under Node, which cannot call it. It is opened when it is first asked for. */
export function libc(): Libc | undefined {
  if (process.versions.bun === undefined) return undefined;
  loaded ??= load();
  return loaded;
}

function load(): Libc {
  const ffi = process.getBuiltinModule("bun:ffi") as unknown as Ffi;
  const { symbols } = ffi.dlopen("libc.so.6", signatures);
  return {
    call: symbols,
    text: (value) => Buffer.from(`${value}\0`, "latin1"),
    pointer: (bytes) => ffi.ptr(bytes),
    errno: () => ffi.read.i32(symbols.__errno_location(), 0),
  };
}
