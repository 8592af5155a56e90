import { execFileSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  copyFileSync,
  cpSync,
  createReadStream,
  lchownSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createGunzip, gzipSync } from "node:zlib";
import type { ImageConfig } from "../packages/image/src/index.ts";
import {
  encodeHeader,
  entryType,
  type ReadEntry,
  type TarHeader,
  TarReader,
  toBytePath,
} from "../packages/layers/src/index.ts";
import type { Job, JobResult } from "./dockerfile-driver.ts";
import { mustRun, type Outcome, run } from "./harness/run.ts";
import { sampleStack } from "./harness/sample-builder.ts";

/** The Dockerfiles and the context that all of them share. */
export const FIXTURES = fileURLToPath(new URL("fixtures/dockerfiles", import.meta.url));

const DRIVER = fileURLToPath(new URL("dockerfile-driver.ts", import.meta.url));

const bunPackage = createRequire(new URL("../packages/dockerfile/package.json", import.meta.url)).resolve(
  "@oven/bun-linux-x64-baseline/package.json",
);

/** What the executables are compiled with. */
export const BUN = join(bunPackage, "../bin/bun");

/** The config of the base image. */
export const baseConfig: Pick<ImageConfig, "architecture" | "os" | "config"> = {
  architecture: "amd64",
  os: "linux",
  config: {
    Cmd: ["/bin/sh"],
    Env: ["PATH=/usr/sbin:/usr/bin:/sbin:/bin", "BASE=of the image"],
    Labels: { "from.base": "yes" },
    WorkingDir: "/",
  },
};

/** Runs the driver with jobs, one after the other. */
export async function applyAll(directory: string, jobs: readonly Job[]): Promise<JobResult[]> {
  const path = join(mkdtempSync(join(directory, "jobs-")), "jobs.json");
  writeFileSync(path, JSON.stringify(jobs));
  const outcome = await run(BUN, [DRIVER, path], { timeout: 240_000 });
  if (outcome.code !== 0) throw new Error(`the driver failed:\n${outcome.stdout}${outcome.stderr}`);
  return JSON.parse(readFileSync(`${path}.out`, "utf8")) as JobResult[];
}

/** Starts the driver with one job and hands its process id on. */
export function applyCommand(directory: string, job: Job): { command: string; args: string[]; result: string } {
  const path = join(mkdtempSync(join(directory, "jobs-")), "jobs.json");
  writeFileSync(path, JSON.stringify([job]));
  return { command: BUN, args: [DRIVER, path], result: `${path}.out` };
}

/** A temporary directory that all users may pass through. */
export function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), "dockerfile-"));
  chmodSync(directory, 0o755);
  return directory;
}

/** Makes the root of a small base image: busybox, two users, and files of many kinds in /data. */
export async function makeBaseRoot(root: string): Promise<void> {
  const { build } = await sampleStack();
  const busybox = join(build, "usr/bin/busybox");
  for (const name of ["bin", "dev", "etc", "home/app", "proc", "root", "sys", "tmp", "usr/bin", "var/cache"]) {
    mkdirSync(join(root, name), { recursive: true });
  }
  chmodSync(join(root, "tmp"), 0o1777);
  chmodSync(join(root, "root"), 0o700);
  copyFileSync(busybox, join(root, "bin/busybox"));
  chmodSync(join(root, "bin/busybox"), 0o755);
  for (const name of execFileSync(busybox, ["--list"], { encoding: "utf8" }).trim().split("\n")) {
    if (name !== "busybox") symlinkSync("busybox", join(root, "bin", name));
  }
  const etc = (name: string, text: string) => writeFileSync(join(root, "etc", name), text);
  etc("passwd", "root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000:app:/home/app:/bin/sh\n");
  etc("group", "root:x:0:\napp:x:1000:\nstaff:x:50:app\nother:x:60:app,root\n");
  etc("hosts", "127.0.0.1 of-the-image\n");
  const data = join(root, "data");
  mkdirSync(join(data, "dir"), { recursive: true });
  mkdirSync(join(data, "sub/inner"), { recursive: true });
  mkdirSync(join(data, "tomove"));
  for (const name of ["file", "modes", "hard1", "dir/inside", "sub/a", "sub/inner/b", "tomove/x"]) {
    writeFileSync(join(data, name), `${name} of the base\n`);
  }
  linkSync(join(data, "hard1"), join(data, "hard2"));
  symlinkSync("file", join(data, "filelink"));
  symlinkSync("dir", join(data, "link"));
  symlinkSync("nowhere", join(data, "dangling"));
  chownSync(join(data, "file"), 1000, 1000);
  chmodSync(join(data, "file"), 0o640);
  chmodSync(join(data, "sub"), 0o750);
  lchownSync(join(data, "dangling"), 1000, 50);
}

/** Makes the build context: the fixtures, and what Git cannot hold. */
export async function makeContext(context: string): Promise<void> {
  cpSync(join(FIXTURES, "context"), context, { recursive: true });
  for (const path of ["", "tree", "tree/sub", "tree/sub/more", "over", "over/sub", "over/dir"]) {
    chmodSync(join(context, path), 0o755);
  }
  await mustRun("find", [context, "-type", "f", "-not", "-name", "*.sh", "-exec", "chmod", "644", "{}", "+"]);
  const make = (name: string) => mkdirSync(join(context, name), { recursive: true });
  for (const name of ["links", "hard", "modes/closed", "modes/sticky", "empty", "rootfs/data/link"]) make(name);
  symlinkSync("../plain.txt", join(context, "links/to-file"));
  symlinkSync("../tree", join(context, "links/to-dir"));
  symlinkSync("/data/file", join(context, "links/absolute"));
  symlinkSync("nowhere", join(context, "links/dangling"));
  writeFileSync(join(context, "hard/one"), "linked\n");
  linkSync(join(context, "hard/one"), join(context, "hard/two"));
  writeFileSync(join(context, "modes/setuid"), "setuid\n");
  writeFileSync(join(context, "modes/private"), "private\n");
  chmodSync(join(context, "modes/setuid"), 0o4755);
  chmodSync(join(context, "modes/private"), 0o600);
  chmodSync(join(context, "modes/closed"), 0o700);
  chmodSync(join(context, "modes/sticky"), 0o1777);
  writeFileSync(join(context, "rootfs/data/link/placed"), "placed\n");
  const archive = tar([
    { name: "top", type: "5", mode: 0o711, uid: 3, gid: 4 },
    { name: "top/file", mode: 0o4711, uid: 1000, gid: 50, contents: "archived\n" },
    { name: "/absolute", contents: "contained\n" },
    { name: "top/link", type: "2", linkName: "file" },
    { name: "top/hard", type: "1", linkName: "top/file", mode: 0o4711, uid: 1000, gid: 50 },
    { name: "file", contents: "replaces\n", mode: 0o600 },
    { name: "top/fifo", type: "6" },
    { name: `long/${"n".repeat(120)}/é`, contents: "long\n" },
  ]);
  writeFileSync(join(context, "archive.tar"), archive);
  writeFileSync(join(context, "archive.tar.gz"), gzipSync(archive));
  for (const [program, suffix] of [
    ["bzip2", "bz2"],
    ["xz", "xz"],
  ] as const) {
    writeFileSync(join(context, `archive.tar.${suffix}`), compressed(program, join(context, "archive.tar")));
  }
  writeFileSync(join(context, "notar.gz"), gzipSync("no archive\n"));
  make("odd");
  for (const name of ["é.txt", "\u{1f600} and space", "-dash", "new\nline"])
    writeFileSync(join(context, "odd", name), name);
  writeFileSync(Buffer.from(`${context}/odd/\xff\xfe`, "latin1"), "no text");
  writeFileSync(join(context, "odd/é.tar"), tar([{ name: "from-é", contents: "é" }]));
  // cap_net_raw=ep, as setcap(8) writes it.
  const capability = Buffer.from("0100000200200000000000000000000000000000", "hex").toString("latin1");
  const xattrs = new Map([["security.capability", capability]]);
  writeFileSync(
    join(context, "capable.tar"),
    tar([
      { name: "program", mode: 0o755, contents: "program\n", xattrs },
      { name: "other", mode: 0o755, contents: "other\n", xattrs },
    ]),
  );
}

/** A file as a program compresses it, or as it is where there is no such program. */
function compressed(program: string, path: string): Buffer {
  try {
    return execFileSync(program, ["--stdout", path], { maxBuffer: 1 << 24 });
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return readFileSync(path);
    throw error;
  }
}

type Entry = Partial<Omit<TarHeader, "name" | "type">> & {
  readonly name: string;
  readonly type?: string;
  readonly contents?: string;
};

/** The bytes of an archive. */
export function tar(entries: readonly Entry[]): Buffer {
  const blocks = entries.map(({ name, type = entryType.file, contents = "", linkName = "", ...values }) => {
    const defaults = { mode: 0o755, uid: 0, gid: 0, deviceMajor: 0, deviceMinor: 0 };
    const names = { name: toBytePath(name), linkName: toBytePath(linkName) };
    const header = { ...defaults, ...values, ...names, type, size: contents.length } as TarHeader;
    const body = Buffer.alloc(Math.ceil(contents.length / 512) * 512);
    body.write(contents, "latin1");
    return Buffer.concat([encodeHeader(header), body]);
  });
  return Buffer.concat([...blocks, Buffer.alloc(1024)]);
}

/** What a layer holds, by path, in its order. */
export async function readLayer(path: string): Promise<Map<string, ReadEntry & { contents: string }>> {
  const entries = new Map<string, ReadEntry & { contents: string }>();
  let current: ReadEntry | undefined;
  let contents: Buffer[] = [];
  const reader = new TarReader({
    begin: (entry) => {
      current = entry;
      contents = [];
    },
    contents: (bytes) => contents.push(Buffer.from(bytes)),
    end: () => {
      if (current !== undefined)
        entries.set(current.name, { ...current, contents: Buffer.concat(contents).toString() });
    },
  });
  for await (const chunk of createReadStream(path).pipe(createGunzip())) reader.write(chunk as Buffer);
  reader.finish();
  return entries;
}

/** A copy of a root for one job. */
export async function copyRoot(from: string, to: string): Promise<void> {
  await mustRun("cp", ["--archive", from, to]);
}

/** Deletes what a test made. */
export function remove(directory: string): void {
  rmSync(directory, { recursive: true, force: true });
}

export type { Outcome };
