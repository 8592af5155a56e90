import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { encodeHeader, type TarHeader, toBytePath } from "@lifecycle/layers";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { RootPaths } from "./root-paths.ts";
import { type UnpackOptions, unpack } from "./unpack.ts";

type Entry = Partial<Omit<TarHeader, "name">> & { readonly name: string; readonly contents?: string };

function tar(...entries: Entry[]): Buffer[] {
  const own = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
  const defaults = { type: "0", mode: 0o644, linkName: "", deviceMajor: 0, deviceMinor: 0, ...own } as const;
  return entries.map(({ contents = "", ...values }) => {
    const body = Buffer.alloc(Math.ceil(contents.length / 512) * 512);
    body.write(contents);
    const header = { ...defaults, ...values, name: toBytePath(values.name), size: contents.length };
    return Buffer.concat([encodeHeader(header), body]);
  });
}

describe("unpacking", () => {
  let directory: string;
  let root: string;

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "unpack-"));
    root = join(directory, "root");
    for (const path of ["etc/a", "etc/b", "etc/sub/c", "usr/lib/x", "keep/y"]) {
      mkdirSync(join(root, path, ".."), { recursive: true });
      writeFileSync(join(root, path), `old ${path}`);
    }
    symlinkSync("usr/lib", join(root, "lib"));
    symlinkSync(directory, join(root, "out"));
  });

  afterEach(() => rmSync(directory, { recursive: true }));

  const put = (entries: Buffer[], options: UnpackOptions = { kind: "layer" }) =>
    unpack(entries, new RootPaths(root), options);

  it("of a layer carries out whiteouts", async () => {
    await put(tar({ name: "etc/.wh.a" }, { name: "etc/sub/new", contents: "new" }, { name: "etc/sub/.wh..wh..opq" }));
    expect(readdirSync(join(root, "etc"))).toEqual(["b", "sub"]);
    expect(readdirSync(join(root, "etc/sub"))).toEqual(["new"]);
  });

  it("finds a directory anew that is gone, or is another one, since the entry before", async () => {
    await put(
      tar(
        { name: "etc/sub/one" },
        { name: ".wh.etc" },
        { name: "etc/sub/two" },
        { name: "etc/sub", type: "2", linkName: "/keep" },
        { name: "etc/sub/three" },
      ),
    );
    expect(readdirSync(join(root, "etc"))).toEqual(["sub"]);
    expect(readdirSync(join(root, "keep"))).toEqual(["three", "y"]);
  });

  it("keeps times, by which python and java tell what they made of a file", async () => {
    mkdirSync(join(directory, "outside"));
    const { mtimeMs } = statSync(join(directory, "outside"));
    await put(
      tar(
        { name: "new", type: "5" },
        { name: "new/file" },
        { name: "new/link", type: "2", linkName: "file" },
        { name: "gone/outside", type: "5" },
        { name: "gone", type: "2", linkName: directory },
      ),
    );
    const time = { mtimeMs: Date.UTC(1980, 0, 1, 0, 0, 1) };
    for (const name of ["new", "new/file", "new/link"]) expect(lstatSync(join(root, name))).toMatchObject(time);
    expect(statSync(join(directory, "outside"))).toMatchObject({ mtimeMs });
  });

  it("of an archive takes names of whiteouts for names", async () => {
    await put(tar({ name: ".wh.a" }), { kind: "archive", into: toBytePath("/etc") });
    expect(readdirSync(join(root, "etc"))).toEqual([".wh.a", "a", "b", "sub"]);
  });

  it("follows symlinks to directories within the root, and replaces symlinks to be written", async () => {
    symlinkSync("/etc/a", join(root, "usr/lib/link"));
    await put(
      tar(
        { name: "lib/new", contents: "1" },
        { name: "lib/link", contents: "2" },
        { name: "/out/file", contents: "3" },
      ),
    );
    expect(readFileSync(join(root, "usr/lib/new"), "utf8")).toBe("1");
    expect(readFileSync(join(root, "usr/lib/link"), "utf8")).toBe("2");
    expect(readFileSync(join(root, "etc/a"), "utf8")).toBe("old etc/a");
    expect(readdirSync(directory)).toEqual(["root"]);
    expect(readFileSync(join(root, directory, "file"), "utf8")).toBe("3");
  });

  it("replaces what is of another type", async () => {
    await put(
      tar(
        { name: "etc/sub", contents: "file" },
        { name: "keep/y", type: "5", mode: 0o711 },
        { name: "etc/a", type: "2", linkName: "b" },
      ),
    );
    expect(readFileSync(join(root, "etc/sub"), "utf8")).toBe("file");
    expect(lstatSync(join(root, "keep/y")).mode & 0o7777).toBe(0o711);
    expect(readFileSync(join(root, "etc/a"), "utf8")).toBe("old etc/b");
  });

  it("makes hard links within the root", async () => {
    await put(tar({ name: "one", contents: "1", mode: 0o4755 }, { name: "two", type: "1", linkName: "one" }));
    expect(lstatSync(join(root, "two"))).toMatchObject({ nlink: 2 });
    expect(lstatSync(join(root, "two")).mode & 0o7777).toBe(0o4755);
  });

  it("passes over what is ignored", async () => {
    const isIgnored = (path: string) => path.startsWith("/keep");
    await put(tar({ name: "keep/z" }, { name: "keep/.wh.y" }, { name: "etc/z" }), { kind: "layer", isIgnored });
    expect(readdirSync(join(root, "keep"))).toEqual(["y"]);
    expect(readdirSync(join(root, "etc"))).toContain("z");
  });

  it.each(["etc/sub/.wh.", "etc/sub/.wh..", "etc/sub/.wh..."])(
    "refuses a whiteout of what is above: %s",
    async (name) => {
      await expect(put(tar({ name }))).rejects.toThrow("is refused");
      expect(readdirSync(join(root, "etc"))).toEqual(["a", "b", "sub"]);
    },
  );

  it.each([
    ["a name with ..", [{ name: "etc/../../x" }], "has '..' in it"],
    ["a link to ..", [{ name: "x", type: "1" as const, linkName: "../x" }], "has '..' in it"],
    ["a link to nothing", [{ name: "x", type: "1" as const, linkName: "nothing" }], "is no file"],
    ["a symlink to nowhere", [{ name: "x", type: "2" as const }], "it points nowhere"],
    ["a device in an archive", [{ name: "x", type: "3" as const }], "it is a device"],
    ["too many entries", [{ name: "x" }, { name: "y" }, { name: "z" }], "more than 2 entries"],
    ["too many bytes", [{ name: "x", contents: "123456" }], "more than 5 bytes"],
  ])("refuses %s", async (_, entries, message) => {
    await expect(put(tar(...entries), { kind: "archive", maxEntries: 2, maxBytes: 5 })).rejects.toThrow(message);
  });
});
