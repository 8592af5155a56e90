import { execFile } from "node:child_process";
import { mkdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { Downloader } from "@lifecycle/image";
import type { Environment } from "@lifecycle/phase";
import { parseRegistryIndex, type RegistryEntry, registryIndexPath } from "@lifecycle/spec-types";
import { messageOf, systemCode } from "@lifecycle/syscall";
import { failure } from "./errors.ts";
import { withoutSecrets } from "./without-secrets.ts";

/** A file of the index has a line for each version of one buildpack; in bytes. */
const maxIndexFile = 16 * 1024 * 1024;

/** How long git may take to fetch an index, in milliseconds. */
const gitTimeout = 5 * 60_000;

/** Variables that git needs to get through to its server. */
const gitVariables = ["PATH", "SSL_CERT_FILE", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"].flatMap((name) => [
  name,
  name.toLowerCase(),
]);

export interface RegistryIndexOptions {
  /**
   * `http:` or `https:` (the index's files below it), `file:` or an absolute path (a directory of them), or `git+` and
   * the URL of a Git repository.
   */
  readonly base: string;
  readonly downloader: Downloader;
  readonly env: Environment;
  /** An empty directory, for a clone. */
  readonly scratch: string;
  readonly signal: AbortSignal;
}

/** A buildpack registry's index (extensions/buildpack-registry.md). */
export class RegistryIndex {
  readonly #options: RegistryIndexOptions;
  #clone: Promise<string> | undefined;

  constructor(options: RegistryIndexOptions) {
    this.#options = options;
  }

  /**
   * Finds a version of a buildpack.
   *
   * @param version empty for the newest that was not withdrawn
   * @throws LifecycleError with exit code 112, or 113 if the index has something else in its place
   */
  async find(namespace: string, name: string, version: string): Promise<RegistryEntry> {
    const id = `${namespace}/${name}`;
    const { base } = this.#options;
    let text: string | undefined;
    try {
      text = await this.#read(registryIndexPath(namespace, name));
    } catch (error) {
      const message = withoutSecrets(`buildpack registry ${base}: ${messageOf(error).trim()}`);
      throw failure("buildpackNotFound", message, error);
    }
    const nothing = (what: string) =>
      failure("buildpackNotFound", `buildpack registry ${withoutSecrets(base)} has no ${what}`);
    if (text === undefined) throw nothing(`buildpack '${id}'`);
    const entries = parseRegistryIndex(text, `${withoutSecrets(base)}: ${id}`);
    const found = version === "" ? newest(entries) : entries.find((each) => each.version === version);
    if (found === undefined) throw nothing(version === "" ? `version of '${id}' in use` : `'${id}@${version}'`);
    if (found.namespace !== namespace || found.name !== name) {
      const other = `${found.namespace}/${found.name}@${found.version}`;
      throw failure("buildpackMismatch", `buildpack registry ${withoutSecrets(base)}: '${other}' stands for '${id}'`);
    }
    if (!/@sha256:[0-9a-f]{64}$/.test(found.address)) {
      const what = `${JSON.stringify(found.address)} of '${id}@${found.version}' names no digest`;
      throw failure("buildpackMismatch", `buildpack registry ${withoutSecrets(base)}: the address ${what}`);
    }
    return found;
  }

  async #read(path: string): Promise<string | undefined> {
    const { base, downloader } = this.#options;
    if (base.startsWith("git+")) return this.#readFromGit(path);
    if (/^https?:\/\//.test(base)) return downloader.text(new URL(`${base.replace(/\/+$/, "")}/${path}`), maxIndexFile);
    const directory = base.startsWith("file:") ? fileURLToPath(base) : base;
    if (!directory.startsWith("/")) throw new Error("expected http:, https:, file:, git+<url> or an absolute path");
    const file = join(directory, path);
    const stats = statSync(file, { throwIfNoEntry: false });
    if (stats === undefined) return undefined;
    if (!stats.isFile() || stats.size > maxIndexFile) throw new Error(`${file} is no file of an index`);
    return readFileSync(file, "utf8");
  }

  async #readFromGit(path: string): Promise<string | undefined> {
    this.#clone ??= this.#fetchClone();
    const clone = await this.#clone;
    try {
      return await this.#git("-C", clone, "cat-file", "blob", `HEAD:${path}`);
    } catch (error) {
      if (/does not exist in|not a valid object name/i.test(messageOf(error))) return undefined;
      throw error;
    }
  }

  async #fetchClone(): Promise<string> {
    const clone = join(this.#options.scratch, "index");
    mkdirSync(this.#options.scratch, { recursive: true });
    const url = this.#options.base.slice("git+".length);
    await this.#git("clone", "--quiet", "--bare", "--depth=1", "--single-branch", "--no-tags", "--", url, clone);
    return clone;
  }

  /** With no configuration, hooks or questions of this machine's; git reaches the repository and nothing else. */
  async #git(...args: string[]): Promise<string> {
    const { env, scratch, signal } = this.#options;
    const inherited = Object.fromEntries(gitVariables.flatMap((name) => (env[name] ? [[name, env[name]]] : [])));
    try {
      const { stdout } = await promisify(execFile)("git", args, {
        env: {
          ...inherited,
          ...(env.SSL_CERT_FILE && { GIT_SSL_CAINFO: env.SSL_CERT_FILE }),
          HOME: scratch,
          GIT_CONFIG_NOSYSTEM: "1",
          GIT_CONFIG_GLOBAL: "/dev/null",
          GIT_TERMINAL_PROMPT: "0",
          GIT_ALLOW_PROTOCOL: "http:https:file:ssh",
        },
        cwd: scratch,
        maxBuffer: maxIndexFile,
        timeout: gitTimeout,
        signal,
      });
      return stdout;
    } catch (error) {
      if (systemCode(error) === "ENOENT") {
        throw new Error("git is not installed here; name an http(s) base of the index's files, which needs none");
      }
      const { stderr } = error as { readonly stderr?: string };
      throw stderr ? new Error(`git: ${stderr.trim().split("\n").at(-1)}`) : error;
    }
  }
}

/** The highest version by the rules of semantic versioning. */
function newest(entries: readonly RegistryEntry[]): RegistryEntry | undefined {
  return entries
    .filter(({ yanked }) => !yanked)
    .reduce<RegistryEntry | undefined>(
      (best, each) => (best === undefined || compareVersions(each.version, best.version) > 0 ? each : best),
      undefined,
    );
}

/** Compares versions as semver.org has it; what is no such version is lower than all that are. */
export function compareVersions(one: string, other: string): number {
  const [a, b] = [parse(one), parse(other)];
  if (a === undefined || b === undefined) return Number(a !== undefined) - Number(b !== undefined);
  for (const index of [0, 1, 2]) {
    const difference = (a.numbers[index] ?? 0) - (b.numbers[index] ?? 0);
    if (difference !== 0) return difference;
  }
  if (a.pre === undefined || b.pre === undefined) return Number(a.pre === undefined) - Number(b.pre === undefined);
  const [left, right] = [a.pre.split("."), b.pre.split(".")];
  for (let index = 0; index < Math.min(left.length, right.length); index++) {
    const difference = compareIdentifiers(left[index] ?? "", right[index] ?? "");
    if (difference !== 0) return difference;
  }
  return left.length - right.length;
}

function parse(version: string): { readonly numbers: readonly number[]; readonly pre: string | undefined } | undefined {
  const match = /^v?(\d+)\.(\d+)\.(\d+)(?:-([0-9A-Za-z.-]+))?(?:\+.*)?$/.exec(version);
  return match === null ? undefined : { numbers: match.slice(1, 4).map(Number), pre: match[4] };
}

function compareIdentifiers(one: string, other: string): number {
  const [a, b] = [/^\d+$/.test(one), /^\d+$/.test(other)];
  if (a && b) return Number(one) - Number(other);
  if (a !== b) return a ? -1 : 1;
  return one < other ? -1 : one > other ? 1 : 0;
}
