import { execFileSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  linkSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";

/** What a fixture's tree has at one path; the types are those of the layer vectors, and `fifo`. */
export interface FixtureEntry {
  readonly path: string;
  readonly type: string;
  /** Octal. */
  readonly mode?: string;
  readonly text?: string;
  readonly sparse_size?: number;
  readonly target?: string;
}

/** A directory tree and the layer that it makes. */
export interface LayerVector {
  readonly name: string;
  readonly note: string;
  readonly root: string;
  readonly uid: number;
  readonly gid: number;
  readonly entries: readonly FixtureEntry[] | null;
  readonly tar_bytes: number;
  readonly diff_id: string;
  readonly first_headers_base64?: string;
}

/** Paths in fixtures may hold `%XX` for a byte that is not UTF-8. */
function fixturePath(root: string, path: string): string | Buffer {
  if (!/%[0-9A-F]{2}/.test(path)) return join(root, path);
  const bytes = path.replace(/%([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  return Buffer.concat([Buffer.from(`${root}/`), Buffer.from(bytes, "latin1")]);
}

/** Makes a fixture's tree; needs root, since its owners and modes are part of the layer. */
export function makeTree(root: string, entries: readonly FixtureEntry[]): void {
  mkdirSync(root, { recursive: true });
  for (const entry of entries) {
    const path = fixturePath(root, entry.path);
    if (entry.type === "dir") mkdirSync(path);
    else if (entry.type === "symlink") symlinkSync(entry.target ?? "", path);
    else if (entry.type === "hardlink") linkSync(join(root, entry.target ?? ""), path);
    else if (entry.type === "fifo") execFileSync("mkfifo", [join(root, entry.path)]);
    else {
      writeFileSync(path, entry.text ?? "");
      if (entry.sparse_size !== undefined) truncateSync(path, entry.sparse_size);
    }
  }
  for (const { path, mode } of entries) {
    if (mode !== undefined) chmodSync(fixturePath(root, path), Number.parseInt(mode, 8));
  }
}

/** The vectors of a file in `fixtures/`. */
export function readVectors(file: string): LayerVector[] {
  return JSON.parse(readFileSync(new URL(`../fixtures/${file}`, import.meta.url), "utf8"));
}

/**
 * Takes hold of a directory at a fixed path, which is part of what vectors check: waits for another test run to be
 * done with it, and takes over one that was left by a run that was stopped.
 */
export async function claimDirectory(path: string, parents: readonly string[]): Promise<void> {
  process.umask(0o022);
  for (;;) {
    try {
      mkdirSync(path);
      break;
    } catch {
      const age = Date.now() - (statSync(path, { throwIfNoEntry: false })?.ctimeMs ?? Date.now());
      if (age > 120_000) rmSync(path, { recursive: true, force: true });
      else await setTimeout(200);
    }
  }
  for (const parent of parents) mkdirSync(parent);
  for (const made of [path, ...parents]) {
    chownSync(made, 0, 0);
    chmodSync(made, 0o755);
  }
}
