import {
  chmodSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { toBytePath } from "@lifecycle/layers";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { IgnoredPaths } from "./ignored-paths.ts";
import { RootPaths } from "./root-paths.ts";
import { Snapshot } from "./snapshot.ts";

describe("a snapshot", () => {
  let root: string;
  let snapshot: Snapshot;

  beforeEach(async () => {
    root = mkdtempSync(join(tmpdir(), "snapshot-"));
    for (const path of ["a/b/c", "a/b/d", "a/e", "ignored/x", "dev/x", "z"]) {
      mkdirSync(join(root, path, ".."), { recursive: true });
      writeFileSync(join(root, path), path);
    }
    const paths = new RootPaths(root);
    snapshot = new Snapshot(paths, new IgnoredPaths(paths, ["/ignored"]));
    await snapshot.take();
  });

  afterEach(() => rmSync(root, { recursive: true }));

  async function changes(passedOver: string[] = []): Promise<string[]> {
    const entries = await snapshot.changes(undefined, new Set(passedOver.map(toBytePath)));
    return entries.map(({ header }) => `${header.type} ${header.name}${header.linkName && ` ${header.linkName}`}`);
  }

  it("sees nothing where nothing happened, and each change once", async () => {
    expect(await changes()).toEqual([]);
    writeFileSync(join(root, "a/new"), "");
    expect(await changes()).toEqual(["5 a", "0 a/new"]);
    expect(await changes()).toEqual([]);
  });

  it("sees content of the same size and time as before", async () => {
    const path = join(root, "a/b/c");
    utimesSync(path, 1, 1);
    await changes();
    writeFileSync(path, "other");
    utimesSync(path, 1, 1);
    expect(await changes()).toEqual(["5 a", "5 a/b", "0 a/b/c"]);
  });

  it("does not count an empty file that was opened or made anew, but what else happens to it", async () => {
    const path = join(root, "a/lock");
    writeFileSync(path, "");
    await changes();
    rmSync(path);
    writeFileSync(path, "");
    expect(await changes()).toEqual([]);
    linkSync(path, join(root, "a/other"));
    expect(await changes()).toEqual(["5 a", "0 a/lock", "1 a/other a/lock"]);
    chmodSync(path, 0o600);
    expect(await changes()).toEqual(["5 a", "0 a/lock", "1 a/other a/lock"]);
    writeFileSync(path, "x");
    expect(await changes()).toEqual(["5 a", "0 a/lock", "1 a/other a/lock"]);
  });

  it("sees modes, of directories too, but not that something changed in them", async () => {
    chmodSync(join(root, "a/b"), 0o700);
    chmodSync(join(root, "z"), 0o600);
    expect(await changes()).toEqual(["5 a", "5 a/b", "0 z"]);
  });

  it("sees what is gone, topmost only", async () => {
    rmSync(join(root, "a/b"), { recursive: true });
    rmSync(join(root, "z"));
    expect(await changes()).toEqual(["0 .wh.z", "5 a", "0 a/.wh.b"]);
  });

  it("sees a directory replaced by a file and a file by a directory", async () => {
    rmSync(join(root, "a/b"), { recursive: true });
    writeFileSync(join(root, "a/b"), "");
    rmSync(join(root, "z"));
    mkdirSync(join(root, "z"));
    expect(await changes()).toEqual(["5 a", "0 a/b", "5 z"]);
  });

  it("makes a directory opaque of which only the name is left", async () => {
    rmSync(join(root, "a/b"), { recursive: true });
    mkdirSync(join(root, "a/b"));
    writeFileSync(join(root, "a/b/c"), "a/b/c");
    expect(await changes()).toEqual(["5 a", "5 a/b", "0 a/b/.wh..wh..opq", "0 a/b/c"]);
  });

  it("leaves room for others in a directory that was only emptied", async () => {
    for (const name of ["c", "d"]) rmSync(join(root, "a/b", name));
    expect(await changes()).toEqual(["5 a", "5 a/b", "0 a/b/.wh.c", "0 a/b/.wh.d"]);
  });

  it("sees what was moved, with all that it holds", async () => {
    renameSync(join(root, "a/b"), join(root, "a/f"));
    expect(await changes()).toEqual(["5 a", "0 a/.wh.b", "5 a/f", "0 a/f/c", "0 a/f/d"]);
  });

  it("keeps hard links, also to what was there before", async () => {
    linkSync(join(root, "z"), join(root, "a/link"));
    symlinkSync("z", join(root, "symlink"));
    expect(await changes()).toEqual(["5 a", "0 a/link", "2 symlink z", "1 z a/link"]);
  });

  it("looks neither into ignored directories nor at what is passed over", async () => {
    for (const path of ["ignored/new", "dev/new", "a/new"]) writeFileSync(join(root, path), "");
    expect(await changes(["/a/new"])).toEqual([]);
    expect(await changes()).toEqual([]);
  });

  it("refuses names that would be whiteouts", async () => {
    writeFileSync(join(root, "a/.wh.x"), "");
    await expect(changes()).rejects.toThrow("/a/.wh.x: no layer can hold a file whose name begins with '.wh.'");
  });
});
