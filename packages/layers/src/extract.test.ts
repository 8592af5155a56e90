import { execFileSync } from "node:child_process";
import {
  chmodSync,
  createReadStream,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { fromLatin1, toBytePath } from "./byte-path.ts";
import { type ExtractOptions, extract } from "./extract.ts";
import { makeTree } from "./fixture-tree.ts";
import { LayerFactory } from "./layer-factory.ts";
import { encodeHeader, type TarHeader } from "./tar-header.ts";

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "extract-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

type Entry = Partial<Omit<TarHeader, "type">> & { readonly type?: string; readonly contents?: string };

/** An archive of any entries, also those that no layer may have. */
function archive(...entries: readonly Entry[]): Buffer {
  const defaults = { name: toBytePath(""), mode: 0o644, uid: 0, gid: 0, linkName: "" };
  const blocks = entries.flatMap(({ contents = "", ...values }) => {
    const size = contents.length;
    const header = { type: "0", deviceMajor: 0, deviceMinor: 0, ...defaults, size, ...values } as TarHeader;
    const body = Buffer.alloc(Math.ceil(size / 512) * 512);
    body.write(contents);
    return [encodeHeader(header), body];
  });
  return Buffer.concat([...blocks, Buffer.alloc(1024)]);
}

function entry(name: string, values: Entry = {}): Entry {
  return { name: fromLatin1(name), ...values };
}

function pack(bytes: Buffer, options: Partial<ExtractOptions> = {}): Promise<void> {
  async function* source(): AsyncGenerator<Uint8Array> {
    for (let start = 0; start < bytes.length; start += 700) yield bytes.subarray(start, start + 700);
  }
  return extract(source(), { root: directory, within: join(directory, "layers"), ...options });
}

describe("extracting a layer", () => {
  it("brings back what a layer was made of, whatever the names", async () => {
    const layers = join(directory, "layers");
    mkdirSync(join(layers, "vendor_bp"), { recursive: true });
    const path = join(layers, "vendor_bp", "layer");
    makeTree(path, [
      { path: "bin", type: "dir", mode: "0755" },
      { path: "bin/tool", type: "file", mode: "4755", text: "#!/bin/sh\n" },
      { path: "bin/same", type: "hardlink", target: "bin/tool" },
      { path: "locked", type: "dir", mode: "0555" },
      { path: "locked/in", type: "file", mode: "0400", text: "x" },
      { path: "sticky", type: "dir", mode: "1777" },
      { path: "link", type: "symlink", target: "/etc/passwd" },
      { path: "%FF%FE", type: "file", mode: "0644", text: "bytes" },
      { path: `${"n".repeat(200)}`, type: "dir", mode: "0711" },
      { path: `${"n".repeat(200)}/${"ü".repeat(100)}`, type: "file", mode: "0644", text: "long" },
      { path: "large", type: "file", mode: "0666", sparse_size: 3_000_001 },
    ]);
    const owner = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
    const before = await new LayerFactory(owner).dirLayer("layer", path, "test");
    const tar = join(directory, "layer.tar");
    await writeFile(tar, before.uncompressed());

    execFileSync("chmod", ["-R", "u+rwX", path]);
    rmSync(path, { recursive: true });
    await extract(createReadStream(tar), { within: layers, owner });
    const after = await new LayerFactory(owner).dirLayer("layer", path, "test");
    expect(after.diffId).toBe(before.diffId);
    execFileSync("chmod", ["-R", "u+rwX", path]);
  });

  it("keeps the modes of directories that are there and makes missing parents", async () => {
    mkdirSync(join(directory, "layers/bp"), { recursive: true });
    chmodSync(join(directory, "layers/bp"), 0o711);
    await pack(
      archive(
        entry("/layers", { type: "5", mode: 0o700 }),
        entry("/layers/bp", { type: "5", mode: 0o755 }),
        entry("/layers/bp/new/deep/file", { contents: "x" }),
      ),
    );
    expect(statSync(join(directory, "layers/bp")).mode & 0o777).toBe(0o711);
    expect(statSync(join(directory, "layers/bp/new")).mode & 0o777).toBe(0o777 & ~process.umask());
    expect(readFileSync(join(directory, "layers/bp/new/deep/file"), "utf8")).toBe("x");
  });

  it("replaces files and symlinks that are there without writing through them", async () => {
    const layers = join(directory, "layers");
    mkdirSync(layers);
    writeFileSync(join(directory, "outside"), "untouched");
    symlinkSync(join(directory, "outside"), join(layers, "file"));
    writeFileSync(join(layers, "link"), "old");
    await pack(
      archive(
        entry("/layers/file", { contents: "new" }),
        entry("/layers/link", { type: "2", linkName: "file" }),
        entry("/layers/link", { type: "2", linkName: "file" }),
      ),
    );
    expect(readFileSync(join(directory, "outside"), "utf8")).toBe("untouched");
    expect(lstatSync(join(layers, "file")).isFile()).toBe(true);
    expect(readlinkSync(join(layers, "link"))).toBe("file");
  });

  it("takes hard links to files of the same archive", async () => {
    await pack(
      archive(entry("layers/a", { contents: "same" }), entry("layers/b", { type: "1", linkName: "layers/a" })),
    );
    expect(statSync(join(directory, "layers/b")).ino).toBe(statSync(join(directory, "layers/a")).ino);
  });

  it("trusts a layers directory that is a symlink itself", async () => {
    mkdirSync(join(directory, "volume"));
    symlinkSync("volume", join(directory, "layers"));
    await pack(archive(entry("/layers", { type: "5" }), entry("/layers/a", { contents: "a" })));
    expect(readFileSync(join(directory, "volume/a"), "utf8")).toBe("a");
  });

  it.each<[string, Entry[]]>([
    ["a path outside", [entry("/etc/passwd", { contents: "x" })]],
    ["a path beside, with the same beginning", [entry("/layers-other/x", { contents: "x" })]],
    ["..", [entry("/layers/../outside", { contents: "x" })]],
    ["a path below a symlink of the archive", [entry("/layers/l", { type: "2", linkName: "/" }), entry("/layers/l/x")]],
    [
      "a directory below a symlink",
      [entry("/layers/l", { type: "2", linkName: "/tmp" }), entry("/layers/l/x", { type: "5" })],
    ],
    [
      "a directory in a symlink's place",
      [entry("/layers/l", { type: "2", linkName: "/tmp" }), entry("/layers/l", { type: "5" })],
    ],
    ["a path below a file", [entry("/layers/f", { contents: "x" }), entry("/layers/f/x")]],
    ["a hard link to the outside", [entry("/layers/h", { type: "1", linkName: "/outside" })]],
    ["a hard link through ..", [entry("/layers/h", { type: "1", linkName: "/layers/../outside" })]],
    [
      "a hard link through a symlink",
      [
        entry("/layers/l", { type: "2", linkName: ".." }),
        entry("/layers/h", { type: "1", linkName: "/layers/l/outside" }),
      ],
    ],
    [
      "a hard link to a symlink",
      [
        entry("/layers/l", { type: "2", linkName: "../outside" }),
        entry("/layers/h", { type: "1", linkName: "/layers/l" }),
      ],
    ],
    ["a character device", [entry("/layers/null", { type: "3", deviceMajor: 1, deviceMinor: 3 })]],
    ["a block device", [entry("/layers/sda", { type: "4", deviceMajor: 8 })]],
    ["a pipe", [entry("/layers/pipe", { type: "6" })]],
    ["an unknown type", [entry("/layers/odd", { type: "S" })]],
    ["a symlink in place of the layers directory", [entry("/layers", { type: "2", linkName: "/tmp" })]],
    ["a path that no file system takes", [entry(`/layers/${"d/".repeat(200_000)}x`)]],
    ["a file in place of a directory", [entry("/layers/d", { type: "5" }), entry("/layers/d", { contents: "x" })]],
  ])("refuses %s", async (_, entries) => {
    writeFileSync(join(directory, "outside"), "untouched");
    await expect(pack(archive(...entries))).rejects.toMatchObject({ code: "refused" });
    expect(readFileSync(join(directory, "outside"), "utf8")).toBe("untouched");
    expect(readdirSync(directory).sort()).toEqual(
      existsSync(join(directory, "layers")) ? ["layers", "outside"] : ["outside"],
    );
  });

  it("refuses a path below a symlink that was there before", async () => {
    mkdirSync(join(directory, "layers"));
    symlinkSync("..", join(directory, "layers/bp"));
    await expect(pack(archive(entry("/layers/bp/x", { contents: "x" })))).rejects.toMatchObject({ code: "refused" });
    expect(existsSync(join(directory, "x"))).toBe(false);
  });

  it("trusts no further than it is told", async () => {
    mkdirSync(join(directory, "layers/bp"), { recursive: true });
    mkdirSync(join(directory, "elsewhere"));
    symlinkSync("../../elsewhere", join(directory, "layers/bp/layer"));
    const tar = archive(entry("/layers/bp", { type: "5" }), entry("/layers/bp/layer/x", { contents: "x" }));
    const options = { trusted: join(directory, "layers"), within: join(directory, "layers/bp/layer") };
    await expect(pack(tar, options)).rejects.toMatchObject({ code: "refused" });
    expect(readdirSync(join(directory, "elsewhere"))).toEqual([]);
    rmSync(join(directory, "layers/bp"), { recursive: true });
    await pack(tar, options);
    expect(readFileSync(join(directory, "layers/bp/layer/x"), "utf8")).toBe("x");
    const beside = archive(entry("/layers/bp/other/x", { contents: "x" }));
    await expect(pack(beside, options)).rejects.toMatchObject({ code: "refused" });
  });

  it("stops at the bounds it is given", async () => {
    const many = archive(entry("/layers/a", { contents: "12345" }), entry("/layers/b", { contents: "12345" }));
    await expect(pack(many, { maxEntries: 1 })).rejects.toThrow("more than 1 entries");
    await expect(pack(many, { maxBytes: 9 })).rejects.toThrow("more than 9 bytes");
  });

  it.each<[string, (bytes: Buffer) => Buffer, string]>([
    ["cut within contents", (bytes) => bytes.subarray(0, 515), "ends within an entry"],
    ["cut within a header", (bytes) => bytes.subarray(0, 300), "ends within an entry"],
    ["with a wrong checksum", (bytes) => Buffer.from(bytes.fill(0x37, 100, 104)), "checksum"],
    ["with data after one end block", (bytes) => Buffer.concat([bytes.subarray(0, -512), bytes]), "after its end"],
  ])("refuses an archive %s", async (_, damage, message) => {
    const damaged = damage(archive(entry("/layers/a", { contents: "12345" })));
    await expect(pack(damaged)).rejects.toMatchObject({ code: "corrupt", message: expect.stringContaining(message) });
  });

  it("reads an archive that ends with its last entry's contents", async () => {
    const whole = archive(entry("/layers/a", { contents: "12345" }));
    await pack(whole.subarray(0, 517));
    expect(readFileSync(join(directory, "layers/a"), "utf8")).toBe("12345");
  });

  it.each([
    ["gnu", 120, 150],
    ["oldgnu", 120, 150],
    ["pax", 120, 150],
    ["ustar", 90, 100],
    ["v7", 40, 99],
  ])("reads what GNU tar writes as %s", async (format, nameLength, targetLength) => {
    const source = join(directory, "source");
    const name = `layers/${"d".repeat(nameLength)}/${"f".repeat(nameLength)}`;
    mkdirSync(join(source, name, ".."), { recursive: true });
    writeFileSync(join(source, name), "contents");
    symlinkSync("t".repeat(targetLength), join(source, "layers/link"));
    await pack(execFileSync("tar", ["-c", `--format=${format}`, "-C", source, "layers"]));
    expect(readFileSync(join(directory, name), "utf8")).toBe("contents");
    expect(readlinkSync(join(directory, "layers/link"))).toBe("t".repeat(targetLength));
  });
});
