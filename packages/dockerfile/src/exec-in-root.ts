import { chmodSync, mkdirSync, readFileSync, symlinkSync, unlinkSync, writeFileSync } from "node:fs";
import { type BytePath, childPath, toBytePath } from "@lifecycle/layers";
import { type Libc, libc, messageOf, textOfErrno } from "@lifecycle/syscall";
import { makeDevices } from "./devices.ts";
import { RootPaths } from "./root-paths.ts";

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
const MS_BIND = 0x1000n;
const MS_NOSUID_NOEXEC = 0x2n | 0x8n;
/** The last signal that is not a real-time one. */
const lastSignal = 31;
const SIG_SETMASK = 2;
const PR_SET_PDEATHSIG = 1;
const SIGKILL = 9n;
const EPERM = 1;
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
    const c = libc();
    if (c === undefined) throw new Error("this program was not built to run RUN instructions");
    if (request.root !== "/") enterRoot(c, request.root);
    // The directory first: only root may be allowed to enter it.
    check(c, c.call.chdir(c.pointer(c.text(latin1(request.cwd)))), `chdir to ${request.cwd}`);
    becomeUser(c, request);
    endWithParent(c, request.parent);
    resetSignals(c);
    return exec(c, request);
  } catch (error) {
    process.stderr.write(`${messageOf(error)}\n`);
    return 126;
  }
}

/** Makes a directory `/`, with a /proc and /dev of its own where mounting is allowed. */
function enterRoot(c: Libc, root: string): void {
  // In a mount namespace of its own, what is mounted is gone with the program. Without the privilege there is none.
  if (c.call.unshare(CLONE_NEWNS) === 0 && mount(c, "none", toBytePath("/"), "none", MS_REC_PRIVATE)) {
    const paths = new RootPaths(root);
    mount(c, "proc", paths.host(paths.resolve(toBytePath("/proc"))), "proc", 0n);
    const devices = paths.resolve(toBytePath("/dev"));
    if (mount(c, "tmpfs", paths.host(devices), "tmpfs", MS_NOSUID_NOEXEC, "mode=755")) fillDevices(c, paths, devices);
  }
  const directory = c.text(latin1(root));
  check(c, c.call.chroot(c.pointer(directory)), `chroot to ${root}`, "SYS_CHROOT");
  check(c, c.call.chdir(c.pointer(c.text("/"))), "chdir to /");
}

/** Devices that a program needs, and terminals and shared memory of its own: it has no business in the machine's. */
function fillDevices(c: Libc, paths: RootPaths, directory: BytePath): void {
  const within = (name: string) => childPath(directory, toBytePath(name));
  for (const name of makeDevices(paths, directory)) {
    // Where devices cannot be made, those that are there can be lent.
    writeFileSync(paths.file(within(name)), "");
    mount(c, `/dev/${name}`, paths.host(within(name)), "none", MS_BIND);
  }
  for (const name of ["shm", "pts"]) mkdirSync(paths.file(within(name)));
  chmodSync(paths.file(within("shm")), 0o1777);
  if (mount(c, "devpts", paths.host(within("pts")), "devpts", MS_NOSUID_NOEXEC, "newinstance,ptmxmode=0666,mode=620")) {
    symlinkSync("pts/ptmx", paths.file(within("ptmx")));
  }
}

/** @returns whether that is allowed */
function mount(c: Libc, source: string, target: BytePath, type: string, flags: bigint, options = ""): boolean {
  const texts = [c.text(latin1(source)), c.text(target), c.text(type), c.text(options)];
  const [from, to, kind, data] = texts.map((text) => c.pointer(text));
  return c.call.mount(from, to, kind, flags, data) === 0;
}

function becomeUser(c: Libc, { uid, gid, groups }: ExecRequest): void {
  const list = Uint32Array.from(new Set([gid, ...groups]));
  check(c, c.call.setgroups(BigInt(list.length), c.pointer(list)), "setgroups", "SETGID");
  check(c, c.call.setgid(gid), `setgid to ${gid}`, "SETGID");
  check(c, c.call.setuid(uid), `setuid to ${uid}`, "SETUID");
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
  const reason = textOfErrno(worst);
  process.stderr.write(
    `exec: ${JSON.stringify(name)}: ${name.includes("/") || worst !== ENOENT ? reason : notFound}\n`,
  );
  return worst === ENOENT ? 127 : 126;
}

const notFound = "executable file not found in $PATH";

/** An array of pointers with a null at its end. */
function pointers(c: Libc, texts: readonly Buffer[]): BigUint64Array {
  return BigUint64Array.from([...texts.map((text) => BigInt(c.pointer(text))), 0n]);
}

/** @param capability what it takes to be permitted */
function check(c: Libc, result: number, what: string, capability?: string): void {
  if (result === 0) return;
  const error = c.errno();
  const remedy = error === EPERM && capability ? `; give the container the capability ${capability}` : "";
  throw new Error(`${what}: ${textOfErrno(error)}${remedy}`);
}

/** Text as the bytes of its UTF-8, one character each. */
function latin1(text: string): string {
  return Buffer.from(text, "utf8").toString("latin1");
}
