import { execFileSync, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtempSync, readdirSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { toBytePath } from "@lifecycle/layers";
import { expect, it } from "vitest";
import { openArchive } from "./archive.ts";

const hasBzip2 = spawnSync("bzip2", ["--help"]).error === undefined;

it.runIf(hasBzip2)("an archive that a program unpacks is closed when only its beginning was read", async () => {
  const directory = mkdtempSync(join(tmpdir(), "archive-"));
  try {
    // More than a pipe holds.
    writeFileSync(join(directory, "file"), randomBytes(4 << 20));
    execFileSync("tar", ["--create", "--bzip2", "--file=a.tar.bz2", "file"], { cwd: directory });
    expect(await openArchive(toBytePath(join(directory, "a.tar.bz2")))).toBeDefined();
    await expect.poll(() => openFilesIn(directory)).toEqual([]);
  } finally {
    rmSync(directory, { recursive: true });
  }
});

function openFilesIn(directory: string): string[] {
  return readdirSync("/proc/self/fd").flatMap((descriptor) => {
    try {
      const file = readlinkSync(`/proc/self/fd/${descriptor}`);
      return file.startsWith(directory) ? [file] : [];
    } catch {
      // The one that the names were read with.
      return [];
    }
  });
}
