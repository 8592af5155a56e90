import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { toBytePath } from "@lifecycle/layers";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { transferTree } from "./transfer-tree.ts";

/** In memory, where `/tmp` is on a disk. */
const elsewhere = "/dev/shm";
const isElsewhere = existsSync(elsewhere) && statSync(elsewhere).dev !== statSync(tmpdir()).dev;

describe.runIf(isElsewhere)("bringing a directory to another file system", () => {
  let from: string;
  let directory: string;
  let to: string;

  beforeEach(() => {
    from = mkdtempSync(join(elsewhere, "transfer-"));
    directory = mkdtempSync(join(tmpdir(), "transfer-"));
    to = join(directory, "to");
    for (let number = 0; number < 50; number++) {
      mkdirSync(join(from, `é${number}`));
      writeFileSync(join(from, `é${number}/file`), "content", { mode: 0o640 });
      symlinkSync("file", join(from, `é${number}/link`));
      utimesSync(join(from, `é${number}/file`), 1, 2);
      utimesSync(join(from, `é${number}`), 3, 4);
    }
  });

  afterEach(() => {
    for (const path of [from, directory]) rmSync(path, { recursive: true });
  });

  it("copies it", async () => {
    await transferTree(toBytePath(from), toBytePath(to), new AbortController().signal);
    expect(readdirSync(to)).toEqual(readdirSync(from));
    expect(statSync(join(to, "é7/link"))).toMatchObject({ size: 7, mode: 0o100640, mtimeMs: 2000 });
    expect(statSync(join(to, "é7"))).toMatchObject({ mtimeMs: 4000 });
  });

  it("stops when it is told to, and leaves nothing", async () => {
    const abort = new AbortController();
    setImmediate(() => abort.abort(new Error("told to")));
    await expect(transferTree(toBytePath(from), toBytePath(to), abort.signal)).rejects.toThrow("told to");
    expect(existsSync(to)).toBe(false);
    expect(readdirSync(from)).toHaveLength(50);
  });
});
