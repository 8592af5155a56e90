import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { appendFileSync, existsSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as zlib from "node:zlib";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Workspace } from "./test-workspace.ts";
import { writeZip } from "./test-zip.ts";
import { SCRATCH_PREFIX } from "./transaction.ts";

let workspace: Workspace;

beforeEach(() => {
  workspace = new Workspace();
});

afterEach(() => workspace.remove());

/** A tar header with the fields that matter here. */
function header(name: string, type: string, size = 0, linkName = ""): Buffer {
  const block = Buffer.alloc(512);
  block.write(name, 0, "latin1");
  block.write("0000755\0", 100);
  block.write(`${size.toString(8).padStart(11, "0")}\0`, 124);
  block.write("        ", 148);
  block.write(type, 156);
  block.write(linkName, 157, "latin1");
  block.write("ustar\x0000", 257);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  return block;
}

const end = Buffer.alloc(1024);

/** A header whose size does not fit into octal digits. */
function largeHeader(name: string, size: bigint): Buffer {
  const block = header(name, "0");
  block.writeUInt8(0x80, 124);
  block.fill(0, 125, 136);
  block.writeBigUInt64BE(size, 128);
  block.write("        ", 148);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  return block;
}

/** A gzip member whose middle is `block` many times over, made without compressing it as many times. */
function repeated(file: string, first: Buffer, block: Buffer, times: number): void {
  const flush = { finishFlush: zlib.constants.Z_FULL_FLUSH };
  writeFileSync(
    file,
    Buffer.concat([Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3]), zlib.deflateRawSync(first, flush)]),
  );
  const compressed = zlib.deflateRawSync(block, { ...flush, level: 9 });
  for (let index = 0; index < times; index++) appendFileSync(file, compressed);
}

/** Prepares the application in an archive; everything has to be as it was afterwards. */
async function refuses(archive: string, code: number, message: string | RegExp, limits = {}): Promise<void> {
  const before = workspace.files(workspace.dir);
  const out = join(workspace.dir, "out");
  const { error } = await workspace.prepare({ appDir: archive, appOutDir: out, ...limits });
  expect(error?.message).toMatch(message);
  expect(error?.exitCode).toBe(code);
  expect(workspace.files(workspace.dir)).toEqual(before);
  expect(existsSync(out)).toBe(false);
}

const tar = (...blocks: Buffer[]) => workspace.write("app.tar", Buffer.concat([...blocks, end]));

describe("an archive is refused, and nothing is left of it:", () => {
  const entries: [string, Buffer[], RegExp][] = [
    ["a path with ..", [header("a/../../escaped", "0")], /'\.\.' in it/],
    ["an absolute link", [header("link", "2", 0, "/etc/passwd")], /an absolute path/],
    ["a link that leads out", [header("a/link", "2", 0, "../../outside")], /may lead out of/],
    [
      "a link that leads out by way of another",
      [header("d/up", "2", 0, ".."), header("out", "2", 0, "d/up/../..")],
      /may lead out of/,
    ],
    ["a file behind a link", [header("link", "2", 0, "."), header("link/file", "0")], /something else in its place/],
    ["a hard link to a file outside", [header("hard", "1", 0, "../order.toml")], /'\.\.' in it/],
    ["a device", [header("null", "3")], /no entries of type "3"/],
    ["a pipe", [header("pipe", "6")], /no entries of type "6"/],
    ["a size of 10 GiB", [largeHeader("big", 10n << 30n)], /more than 67108864 bytes/],
  ];

  it.each(entries)("%s", async (_name, blocks, message) => {
    await refuses(tar(header("first", "0"), ...blocks), 114, message);
  });

  it("an absolute path stays inside", async () => {
    const { error } = await workspace.prepare({
      appDir: tar(header("/etc/inside", "0")),
      appOutDir: join(workspace.dir, "out"),
    });
    expect(error).toBeUndefined();
    expect(workspace.files(join(workspace.dir, "out"))).toEqual(["etc/inside"]);
  });

  it("a sparse file of 10 GiB in 10 kB", async () => {
    const file = join(workspace.dir, "sparse");
    execFileSync("truncate", ["-s", "10G", file]);
    execFileSync("tar", ["--sparse", "-cf", join(workspace.dir, "app.tar"), "-C", workspace.dir, "sparse"]);
    rmSync(file);
    expect(readFileSync(join(workspace.dir, "app.tar")).length).toBeLessThanOrEqual(10_240);
    await refuses(join(workspace.dir, "app.tar"), 114, /no entries of type "S"/);
  });

  it("10 GiB behind the end of a tar", async () => {
    const file = join(workspace.dir, "bomb.tgz");
    repeated(file, Buffer.concat([header("first", "0"), end]), Buffer.alloc(1 << 20), 10_240);
    await refuses(file, 114, /far more than/);
  });

  it("1,000,000 entries", async () => {
    const file = join(workspace.dir, "entries.tgz");
    repeated(
      file,
      header("first", "0"),
      Buffer.concat(Array.from({ length: 1000 }, (_, at) => header(`d${at}/`, "5"))),
      1000,
    );
    await refuses(file, 114, /more than 1000 entries/);
  });

  it("a damaged archive", async () => {
    const whole = readFileSync(workspace.archiveBuildpack("bp.tgz", "x/y@1.2.3"));
    await refuses(workspace.write("half.tgz", whole.subarray(0, 200)), 113, /cannot be decompressed/);
  });

  it("xz, which it cannot read", async () => {
    await refuses(workspace.write("app.tar.xz", Buffer.from("fd377a585a000004", "hex")), 114, /xz archives/);
  });

  it.each([
    ["a path with ..", "../escaped"],
    ["an absolute path", "/escaped"],
  ])("a zip with %s", async (_name, name) => {
    await refuses(zip([{ name, size: 1 }]), 114, /invalid relative path|absolute path/);
  });

  it("a zip with an absolute link", async () => {
    const link = { name: "link", content: Buffer.from("/etc/passwd"), mode: 0o120777 };
    writeZip(join(workspace.dir, "app.zip"), [link]);
    await refuses(join(workspace.dir, "app.zip"), 114, /an absolute path/);
  });

  it("a zip whose 1,000 entries share 10 kB that inflate to 10 MiB each", async () => {
    const names = Array.from({ length: 1000 }, (_, at) => ({ name: `file-${at}`, size: 10 << 20 }));
    await refuses(
      zip(names, zlib.deflateRawSync(Buffer.alloc(10 << 20), { level: 9 })),
      114,
      /more than 67108864 bytes/,
    );
  });

  it("a zip that says it has more entries than may be", async () => {
    const names = Array.from({ length: 1001 }, (_, at) => ({ name: `f${at}`, size: 1 }));
    await refuses(zip(names), 114, /more than 1000 entries/);
  });
});

/** A zip whose entries all have the same data. */
function zip(entries: { name: string; size: number }[], data = zlib.deflateRawSync("x")): string {
  const local = Buffer.alloc(30);
  local.writeUInt32LE(0x04034b50, 0);
  local.writeUInt16LE(20, 4);
  local.writeUInt16LE(8, 8);
  local.writeUInt32LE(data.length, 18);
  const directory = entries.map(({ name, size }) => {
    const entry = Buffer.alloc(46);
    entry.writeUInt32LE(0x02014b50, 0);
    entry.writeUInt16LE(20, 6);
    entry.writeUInt16LE(8, 10);
    entry.writeUInt32LE(data.length, 20);
    entry.writeUInt32LE(size, 24);
    entry.writeUInt16LE(name.length, 28);
    return Buffer.concat([entry, Buffer.from(name)]);
  });
  const start = local.length + data.length;
  const length = directory.reduce((total, each) => total + each.length, 0);
  const last = Buffer.alloc(22);
  last.writeUInt32LE(0x06054b50, 0);
  last.writeUInt16LE(entries.length, 8);
  last.writeUInt16LE(entries.length, 10);
  last.writeUInt32LE(length, 12);
  last.writeUInt32LE(start, 16);
  return workspace.write("app.zip", Buffer.concat([local, data, ...directory, last]));
}

describe("buildpacks from elsewhere", () => {
  it("a buildpack's archive is held to the same", async () => {
    const text = '[_]\nschema-version = "0.2"\n[[io.buildpacks.group]]\nuri = "bp.tar"\n';
    workspace.write("app/project.toml", text);
    workspace.write("app/bp.tar", Buffer.concat([header("bin/../../x", "0"), end]));
    const { error } = await workspace.prepare();
    expect(error?.exitCode).toBe(114);
    expect(existsSync(join(workspace.layers, "prepared"))).toBe(false);
  });

  it("a descriptor of more than it may be is refused", async () => {
    workspace.write("app/project.toml", `# ${"x".repeat(20 << 20)}\n`);
    expect((await workspace.prepare()).error).toMatchObject({ exitCode: 111 });
  });

  it("a buildpack whose ID or version would be a path elsewhere is refused", async () => {
    workspace.write("app/project.toml", '[_]\nschema-version = "0.2"\n[[io.buildpacks.group]]\nuri = "bp"\n');
    for (const name of ["..@1.0.0", "a/../b@1.0.0", "a@..", "a@1/2", "app@1.0.0"]) {
      workspace.writeBuildpack(join(workspace.app, "bp"), name);
      expect((await workspace.prepare()).error, name).toMatchObject({ exitCode: 113 });
    }
  });

  it("an index that answers with another buildpack, or without a digest, is not believed", async () => {
    const entry = (ns: string, addr: string) =>
      JSON.stringify({ ns, name: "bp", version: "1.0.0", yanked: false, addr });
    const digest = createHash("sha256").update("x").digest("hex");
    workspace.write("app/project.toml", '[_]\nschema-version = "0.2"\n[[io.buildpacks.group]]\nid = "my/bp"\n');
    workspace.write("index/2/my_bp", `${entry("other", `example.com/x@sha256:${digest}`)}\n`);
    expect((await workspace.prepare()).error).toMatchObject({
      exitCode: 113,
      message: expect.stringMatching("stands for"),
    });
    workspace.write("index/2/my_bp", `${entry("my", "example.com/x:1")}\n`);
    expect((await workspace.prepare()).error).toMatchObject({
      exitCode: 113,
      message: expect.stringMatching("no digest"),
    });
  });

  it("an application that pretends that a preparer was killed gets nothing put elsewhere", async () => {
    const name = "0".repeat(36);
    const elsewhere = join(workspace.platform, "FROM_APP");
    symlinkSync(workspace.platform, join(workspace.app, "link"));
    const lines = [`${name} ${elsewhere}\0`, `${name} ${join(workspace.app, "link/FROM_APP")}\0`];
    for (const [index, line] of [...lines, `${"../".repeat(12)} ${elsewhere}\0`].entries()) {
      workspace.write(`app/${SCRATCH_PREFIX}${index}/journal`, line);
      workspace.write(`app/${SCRATCH_PREFIX}${index}/${name}`, "hostile");
    }
    expect((await workspace.prepare()).error).toBeUndefined();
    expect(workspace.files(workspace.platform)).toEqual([]);
    expect(workspace.files()).toEqual(["link"]);
  });
});
