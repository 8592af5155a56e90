import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { type Owner, toBytePath } from "@lifecycle/layers";
import { InstructionError } from "./error.ts";
import type { RootPaths } from "./root-paths.ts";

/** As whom a program runs. */
export interface RunUser extends Owner {
  /** Supplementary groups. */
  readonly groups: readonly number[];
  /** The home directory, `/` for a user that is in no list. */
  readonly home: string;
}

/** How much of /etc/passwd or /etc/group is read, in bytes. */
const fileLimit = 1 << 22;

/** The user and group lists of a root, as they are when they are asked. */
export class Users {
  readonly #root: RootPaths;

  constructor(root: RootPaths) {
    this.#root = root;
  }

  /**
   * As whom to run what has `USER <text>`: `name`, `uid`, each with `:group` or `:gid`; root if it is empty. Without a
   * group it is the user's own, and the user's other groups come with it.
   * @throws InstructionError `failed` for a name that is in no list
   */
  runUser(text: string): RunUser {
    const [userText = "", groupText] = splitUser(text);
    const name = userText === "" ? "0" : userText;
    const entry = this.#find("/etc/passwd", name);
    const uid = entry === undefined ? number(name) : Number(entry[2]);
    if (uid === undefined)
      throw new InstructionError("failed", `unable to find user ${name}: no matching entries in passwd file`);
    const home = entry?.[5] === undefined || entry[5] === "" ? "/" : entry[5];
    if (groupText !== undefined && groupText !== "") return { uid, gid: this.#group(groupText), groups: [], home };
    const userName = entry?.[0];
    const groups = userName === undefined ? [] : this.#groupsOf(userName);
    return { uid, gid: Number(entry?.[3] ?? 0), groups, home };
  }

  /**
   * Whom files belong to by `--chown=<text>`. Without a group it is the one with the user's name or number, or, if a
   * user's name is no group's, the user's own.
   * @throws InstructionError `failed` for a name that is in no list
   */
  owner(text: string): Owner {
    const [userText = "", groupText] = splitUser(text);
    if (userText === "") throw new InstructionError("failed", `invalid chown string format: ${text}`);
    const entry = number(userText) === undefined ? this.#find("/etc/passwd", userText) : undefined;
    const uid = number(userText) ?? (entry === undefined ? undefined : Number(entry[2]));
    if (uid === undefined) {
      throw new InstructionError("failed", `unable to find user ${userText}: no matching entries in passwd file`);
    }
    if (groupText === undefined && entry !== undefined && this.#find("/etc/group", userText) === undefined) {
      return { uid, gid: Number(entry[3] ?? 0) };
    }
    return { uid, gid: this.#group(groupText ?? userText) };
  }

  #group(text: string): number {
    const found = number(text) ?? (this.#find("/etc/group", text)?.[2] as string | undefined);
    if (found === undefined) {
      throw new InstructionError("failed", `unable to find group ${text}: no matching entries in group file`);
    }
    return Number(found);
  }

  #groupsOf(user: string): number[] {
    return this.#lines("/etc/group")
      .filter((fields) => (fields[3] ?? "").split(",").includes(user))
      .map((fields) => Number(fields[2]))
      .filter(Number.isInteger);
  }

  /** The entry of a name or number. */
  #find(path: string, text: string): string[] | undefined {
    const lines = this.#lines(path);
    return (
      lines.find(([name]) => name === text) ?? lines.find((fields) => number(text) !== undefined && fields[2] === text)
    );
  }

  #lines(path: string): string[][] {
    return this.#read(path)
      .split("\n")
      .filter((line) => line !== "" && !line.startsWith("#"))
      .map((line) => line.split(":"))
      .filter((fields) => number(fields[2] ?? "") !== undefined);
  }

  #read(path: string): string {
    let descriptor: number;
    try {
      const file = this.#root.file(this.#root.resolve(toBytePath(path)));
      descriptor = openSync(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    } catch {
      return "";
    }
    try {
      if (!fstatSync(descriptor).isFile()) return "";
      const content = Buffer.alloc(Math.min(fstatSync(descriptor).size, fileLimit));
      return content.toString("utf8", 0, readSync(descriptor, content, 0, content.length, 0));
    } finally {
      closeSync(descriptor);
    }
  }
}

function splitUser(text: string): [user: string, group: string | undefined] {
  const colon = text.indexOf(":");
  return colon < 0 ? [text, undefined] : [text.slice(0, colon), text.slice(colon + 1)];
}

function number(text: string): number | undefined {
  return /^[0-9]{1,10}$/.test(text) && Number(text) < 2 ** 32 - 1 ? Number(text) : undefined;
}
