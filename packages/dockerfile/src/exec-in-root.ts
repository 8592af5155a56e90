import { readFileSync, unlinkSync } from "node:fs";
import { type Libc, libc } from "./libc.ts";

/** What is to run, where and as whom. */
export interface ExecRequest {
  /** The directory that becomes `/`. */
  readonly root: string;
  /** In the root. */
  readonly cwd: string;
  readonly args: readonly string[];
  /** The whole environment. */
  readonly env: Readonly<Record<string, string>>;
  readonly uid: number;
  readonly gid: number;
  readonly groups: readonly number[];
  /** The process that asks for it, which the program is not to outlive. */
  readonly parent: number;
}

const CLONE_NEWNS = 0x20000;
const MS_REC_PRIVATE = 0x4000n | 0x40000n;
const MS_BIND_REC = 0x1000n | 0x4000n;
/** The last signal that is not a real-time one. */
const lastSignal = 31;
const SIG_SETMASK = 2;
const PR_SET_PDEATHSIG = 1;
const SIGKILL = 9n;
const ENOENT = 2;
const EACCES = 13;

/**
 * Becomes the program that a RUN asks for; to be called by a process started for just that, with nothing else under way.
 * Returns only if it cannot, having said why on standard error.
 * @param path the file with the request, which is deleted
 * @returns an exit code as a shell gives it: 127 for a program that is not there, 126 for one that cannot start
 */
export function execInRoot(path: string): number {
  try {
    const request = JSON.parse(readFileSync(path, "utf8")) as ExecRequest;
    unlinkSync(path);
    if (libc === undefined) throw new Error("this program was not built to run RUN instructions");
    if (request.root !== "/") enterRoot(libc, request.root);
    // The directory first: only root may be allowed to enter it.
    check(libc, libc.call.chdir(libc.pointer(libc.text(latin1(request.cwd)))), `chdir to ${request.cwd}`);
    becomeUser(libc, request);
    endWithParent(libc, request.parent);
    resetSignals(libc);
    return exec(libc, request);
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    return 126;
  }
}

/** Makes a directory `/`, with /proc and /dev in it where mounting is allowed. */
function enterRoot(c: Libc, root: string): void {
  const mount = (source: string, target: string, type: string, flags: bigint) => {
    const texts = [source, target, type].map((text) => c.text(latin1(text)));
    const [from, to, kind] = texts.map((text) => c.pointer(text));
    return c.call.mount(from, to, kind, flags, null);
  };
  // In a mount namespace of its own, what is mounted is gone with the program. Without the privilege there is neither.
  if (c.call.unshare(CLONE_NEWNS) === 0 && mount("none", "/", "none", MS_REC_PRIVATE) === 0) {
    mount("proc", `${root}/proc`, "proc", 0n);
    mount("/dev", `${root}/dev`, "none", MS_BIND_REC);
  }
  const directory = c.text(latin1(root));
  check(c, c.call.chroot(c.pointer(directory)), `chroot to ${root}`);
  check(c, c.call.chdir(c.pointer(c.text("/"))), "chdir to /");
}

function becomeUser(c: Libc, { uid, gid, groups }: ExecRequest): void {
  const list = Uint32Array.from(new Set([gid, ...groups]));
  check(c, c.call.setgroups(BigInt(list.length), c.pointer(list)), "setgroups");
  check(c, c.call.setgid(gid), `setgid to ${gid}`);
  check(c, c.call.setuid(uid), `setuid to ${uid}`);
}

/** Has the kernel kill us when our parent ends, however that may be. To be called last: a change of user takes it back. */
function endWithParent(c: Libc, parent: number): void {
  check(c, c.call.prctl(PR_SET_PDEATHSIG, SIGKILL, 0n, 0n, 0n), "prctl");
  if (c.call.getppid() !== parent) throw new Error("the process that asked for this has ended");
}

/** Programs start with every signal doing what it does by default, whatever the runtime does with them. */
function resetSignals(c: Libc): void {
  for (let signal = 1; signal <= lastSignal; signal++) c.call.signal(signal, 0n);
  const empty = Buffer.alloc(128);
  c.call.sigprocmask(SIG_SETMASK, c.pointer(empty), null);
}

function exec(c: Libc, { args, env }: ExecRequest): number {
  const [name = ""] = args;
  const texts = args.map((arg) => c.text(latin1(arg)));
  const variables = Object.entries(env).map(([key, value]) => c.text(latin1(`${key}=${value}`)));
  const argv = pointers(c, texts);
  const envp = pointers(c, variables);
  const candidates = name.includes("/")
    ? [name]
    : (env.PATH ?? "").split(":").map((directory) => `${directory === "" ? "." : directory}/${name}`);
  let worst = ENOENT;
  for (const candidate of candidates) {
    const file = c.text(latin1(candidate));
    c.call.execve(c.pointer(file), c.pointer(argv), c.pointer(envp));
    const error = c.errno();
    if (error !== ENOENT) worst = error;
    if (error !== ENOENT && error !== EACCES) break;
  }
  const reason = reasons[worst] ?? `error ${worst}`;
  process.stderr.write(
    `exec: ${JSON.stringify(name)}: ${name.includes("/") || worst !== ENOENT ? reason : notFound}\n`,
  );
  return worst === ENOENT ? 127 : 126;
}

const notFound = "executable file not found in $PATH";

const reasons: Readonly<Record<number, string>> = {
  [ENOENT]: "no such file or directory",
  7: "argument list too long",
  8: "exec format error",
  [EACCES]: "permission denied",
};

/** An array of pointers with a null at its end. */
function pointers(c: Libc, texts: readonly Buffer[]): BigUint64Array {
  return BigUint64Array.from([...texts.map((text) => BigInt(c.pointer(text))), 0n]);
}

function check(c: Libc, result: number, what: string): void {
  if (result !== 0) throw new Error(`${what}: error ${c.errno()}`);
}

/** Text as the bytes of its UTF-8, one character each. */
function latin1(text: string): string {
  return Buffer.from(text, "utf8").toString("latin1");
}
