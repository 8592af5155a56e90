import { chownSync, lchownSync, readdirSync, readFileSync, type Stats, statSync } from "node:fs";
import { join } from "node:path";
import { messageOf, systemCode } from "@lifecycle/syscall";
import { shieldCredentials } from "./credential-shield.ts";
import { failedTo } from "./errors.ts";
import { ExitCode } from "./exit-codes.ts";
import type { Environment } from "./inputs.ts";

/** Whether this process runs as root. */
export function isPrivileged(): boolean {
  return process.getuid?.() === 0;
}

/**
 * The privileges of an executable that runs other people's programs: none, and what some platforms give to all phases
 * of credentials is closed to those programs.
 *
 * @param action what the executable does: "detect"
 * @throws LifecycleError with exit code 1 for root
 */
export function withoutPrivileges(action: string): void {
  if (isPrivileged()) {
    throw failedTo(action, "refusing to run as root", ExitCode.failed);
  }
  shieldCredentials();
}

/**
 * Turns this process into the build's user for good, after giving the volumes it writes to to that user.
 *
 * @param user numeric ids
 * @param volumes directories; empty names are passed over
 * @throws LifecycleError with exit code 1
 */
export function becomeUser({ uid, gid }: { uid: number; gid: number }, volumes: readonly string[]): void {
  try {
    ensureOwner(uid, gid, volumes);
  } catch (error) {
    if (systemCode(error) !== "EPERM") throw failedTo("chown volumes", error);
    const other = isPrivileged() ? "give the container the capability CHOWN" : "start this as root";
    const remedy = `give it to user ${uid}:${gid}, or ${other}`;
    throw failedTo("chown volumes", new Error(`${messageOf(error)}; ${remedy}`, { cause: error }));
  }
  try {
    runAs(uid, gid);
  } catch (error) {
    const isDenied = systemCode(error) === "EPERM";
    throw failedTo(`exec as user ${uid}:${gid}`, isDenied ? "operation not permitted" : error);
  }
}

/**
 * Gives directories that the user cannot write to, and all in them, to that user. A directory that is writable is
 * taken as it is, since a look at every file in it would cost more than it finds. Missing ones are passed over.
 */
function ensureOwner(uid: number, gid: number, directories: readonly string[]): void {
  for (const directory of directories) {
    const stats = statIfExists(directory);
    if (stats !== undefined && !canWrite(uid, gid, stats)) {
      chownTree(directory, uid, gid);
    }
  }
}

function statIfExists(path: string): Stats | undefined {
  return path === "" ? undefined : statSync(path, { throwIfNoEntry: false });
}

function canWrite(uid: number, gid: number, stats: Stats): boolean {
  return stats.uid === uid || (stats.gid === gid && (stats.mode & 0o020) !== 0) || (stats.mode & 0o002) !== 0;
}

function chownTree(directory: string, uid: number, gid: number): void {
  chownSync(directory, uid, gid);
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) {
      chownTree(path, uid, gid);
    } else {
      lchownSync(path, uid, gid);
    }
  }
}

/** A no-op for a process that is that user's already. */
function runAs(uid: number, gid: number): void {
  if (process.getuid?.() === uid && process.getgid?.() === gid) {
    return;
  }
  if (isPrivileged()) {
    // root's supplementary groups would keep files open to the buildpacks that only root's groups may read
    process.setgroups?.([gid]);
  }
  process.setgid?.(gid);
  process.setuid?.(uid);
}

/**
 * The environment with HOME and USER of that user, as a login as the user would have them. A user who is not in
 * /etc/passwd, such as one that a cluster made up for a container, keeps both if they are set.
 *
 * @throws LifecycleError when they cannot be known
 */
export function environmentForUser(uid: number, env: Environment): Environment {
  let users = "";
  let cause: unknown = `user: unknown userid ${uid}`;
  try {
    users = readFileSync("/etc/passwd", "utf8");
  } catch (error) {
    cause = error;
  }
  const entries = users.split("\n").map((line) => line.split(":"));
  const [name, , , , , home] = entries.find((fields) => fields[2] === String(uid)) ?? [];
  if (name !== undefined && home !== undefined) {
    return { ...env, HOME: home, USER: name };
  }
  if (env.HOME && env.USER) {
    return env;
  }
  throw failedTo(`set environment for user ${uid}`, cause);
}
