import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { appendFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { mustRun, type Outcome, run } from "./harness/run.ts";

const repository = fileURLToPath(new URL("..", import.meta.url));
const launcher = join(repository, "packages/launcher/dist/launcher");
const fixtures = join(repository, "test/fixtures/launcher");

/** A place laid out like an application image, on the host. */
let root: string;
let layers: string;
let app: string;

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), "launcher-"));
  layers = join(root, "layers");
  app = join(root, "app");
  cpSync(fixtures, root, { recursive: true, verbatimSymlinks: true });
  await compileShow(join(layers, "test_new/tools/bin/show"));
  cpSync(join(layers, "test_new/tools/bin/show"), join(app, "sub/bin/show"));
});

afterAll(() => rmSync(root, { recursive: true }));

/** Compiles the static application of the fixtures with the compiler that the launcher is built with. */
async function compileShow(output: string): Promise<void> {
  const toolchainFile = process.env.LIFECYCLE_TOOLCHAIN ?? join(repository, ".toolchain/toolchain.json");
  const { cc, muslLibDir, muslIncludeDir } = JSON.parse(readFileSync(toolchainFile, "utf8"));
  const [compiler, ...flags] = cc;
  const musl = (file: string) => join(muslLibDir, file);
  mkdirSync(dirname(output), { recursive: true });
  await mustRun(compiler, [
    ...flags,
    ...["-static", "-no-pie", "-nostdlib", "-isystem", muslIncludeDir, "-o", output],
    ...[musl("crt1.o"), musl("crti.o"), join(fixtures, "show.c"), musl("libc.a"), musl("crtn.o")],
  ]);
}

interface Launch {
  /** Name to start the launcher by; `launcher` is no process type. */
  as?: string;
  args?: string[];
  env?: Record<string, string>;
}

function variables(env: Record<string, string> = {}): Record<string, string> {
  return { CNB_PLATFORM_API: "0.13", CNB_LAYERS_DIR: layers, CNB_APP_DIR: app, PATH: "/usr/bin:/bin", ...env };
}

/** The launcher under another name, as images have it in /cnb/process. */
function linked(name: string): string {
  const path = join(root, "process", name);
  mkdirSync(dirname(path), { recursive: true });
  if (!existsSync(path)) symlinkSync(launcher, path);
  return path;
}

function start({ as = "launcher", args = [], env = {} }: Launch): Promise<Outcome> {
  return run(linked(as), args, { cwd: "/", env: variables(env) });
}

/** What the application of the fixtures says it was started with. */
function shown({ stdout, stderr, code }: Outcome) {
  const items = (name: string) =>
    stdout.split("\n").flatMap((line) => (line.startsWith(`${name} `) ? [line.slice(name.length + 1)] : []));
  const env = Object.fromEntries(items("env").map((entry) => entry.split(/=(.*)/s).slice(0, 2)));
  return { code, stdout, stderr, cwd: items("cwd")[0], args: items("arg"), env, entries: items("env") };
}

const started = async (launch: Launch) => shown(await start(launch));

describe("the executable", () => {
  it("is static, stripped and at most 1.2 MB", () => {
    const elf = readFileSync(launcher);
    expect(elf.length).toBeLessThanOrEqual(1_200_000);
    const headers = programHeaderTypes(elf);
    const [load, dynamic, interpreter] = [1, 2, 3];
    expect(headers).toContain(load);
    expect(headers).not.toContain(dynamic);
    expect(headers).not.toContain(interpreter);
    expect(elf.includes(".symtab")).toBe(false);
  });

  it("holds no path of the machine it was built on", () => {
    expect(readFileSync(launcher).includes(repository)).toBe(false);
  });

  it("tells its version", async () => {
    const { version } = JSON.parse(readFileSync(join(repository, "package.json"), "utf8"));
    expect(await run(launcher, ["-version"], { env: {} })).toMatchObject({ code: 0, stdout: `${version}\n` });
  });
});

describe("the process", () => {
  it("is that of the type that the launcher was started as", async () => {
    expect((await started({ as: "web" })).args).toEqual(["show", "always", "default"]);
  });

  it.each<[string, Launch, string[]]>([
    ["arguments in the command stay", { as: "web", args: ["user"] }, ["show", "always", "user"]],
    ["the user's replace the buildpack's", { as: "plain", args: ["a", ""] }, ["show", "a", ""]],
    ["without the user's there are the buildpack's", { as: "plain" }, ["show", "default", "größe"]],
    ["before Buildpack API 0.9 they are appended", { as: "legacy", args: ["user"] }, ["show", "default", "user"]],
    [
      "before Platform API 0.10 they are appended",
      { as: "web", args: ["user"], env: { CNB_PLATFORM_API: "0.9" } },
      ["show", "always", "default", "user"],
    ],
    ["-- is an argument like any other", { as: "plain", args: ["--", "-version"] }, ["show", "--", "-version"]],
  ])("%s", async (_, launch, args) => {
    expect((await started(launch)).args).toEqual(args);
  });

  it("starts in the application directory, or in its own", async () => {
    expect((await started({ as: "plain" })).cwd).toBe(app);
    expect((await started({ as: "elsewhere" })).cwd).toBe(join(app, "sub"));
    expect((await started({ as: "shell-elsewhere" })).cwd).toBe(join(app, "sub"));
  });

  it("has to be meant for the execution environment from Platform API 0.15 on", async () => {
    const env = { CNB_PLATFORM_API: "0.15" };
    expect(await start({ as: "tested", env })).toMatchObject({
      code: 82,
      stdout: expect.stringContaining("failed to launch: determine start command: process type tested was not found"),
    });
    const inTest = await started({ as: "tested", env: { ...env, CNB_EXEC_ENV: "test" } });
    expect(inTest).toMatchObject({ args: ["show", "tested"], env: { CNB_EXEC_ENV: "test" } });
    expect((await started({ as: "tested" })).args).toEqual(["show", "tested"]);
  });

  it("is a command of the user's if the launcher's name is no type, direct behind --", async () => {
    expect((await started({ args: ["--", "show", "$HOME", "--"] })).args).toEqual(["show", "$HOME", "--"]);
    expect((await started({ args: ["show", "$HOME"], env: { HOME: "/home/x y" } })).args).toEqual([
      "show",
      "/home/x y",
    ]);
    expect((await started({ args: ['exec show "$0" | cat'] })).args).toEqual(["show", "bash"]);
  });

  it("can be found by a relative path of the layers directory", async () => {
    const env = variables({ CNB_LAYERS_DIR: "layers", CNB_APP_DIR: "./app" });
    expect(shown(await run(linked("plain"), [], { cwd: root, env }))).toMatchObject({
      cwd: app,
      env: { LD_LIBRARY_PATH: `${layers}/test_new/tools/lib:${layers}/test_old/first/lib` },
    });
  });

  it("replaces the launcher: it has its pid and gets its signals", async () => {
    const child = spawn(linked("plain"), ["wait"], { env: variables(), stdio: ["ignore", "pipe", "ignore"] });
    const output: string[] = [];
    child.stdout.setEncoding("utf8").on("data", (chunk) => output.push(chunk));
    await expect.poll(() => output.join("")).toContain("ready\n");
    expect(readFileSync(`/proc/${child.pid}/comm`, "utf8")).toBe("show\n");
    const exited = once(child, "exit");
    child.kill("SIGTERM");
    expect(await exited).toEqual([42, null]);

    for (const type of ["plain", "shell"]) {
      const process = spawn(linked(type), [], { env: variables(), stdio: ["ignore", "pipe", "ignore"] });
      const closed = once(process, "close");
      let text = "";
      process.stdout.setEncoding("utf8").on("data", (chunk) => {
        text += chunk;
      });
      await closed;
      expect(text).toContain(`pid ${process.pid}\n`);
    }
  });
});

describe("the environment", () => {
  it("has what the layers add, in the order of the build", async () => {
    const { env } = await started({ as: "web", env: { USERS: "user", LD_LIBRARY_PATH: "/own", HOME: "/h" } });
    expect(env).toMatchObject({
      PATH: `${layers}/test_new/tools/bin:${layers}/test_new/more/bin:/usr/bin:/bin`,
      LD_LIBRARY_PATH: `${layers}/test_new/tools/lib:${layers}/test_old/first/lib:/own`,
      LIST: "front,old,new,web",
      OVERRIDE: "new $HOME",
      DEFAULTED: "old",
      USERS: "user",
      ONLY_LAUNCH: "launch",
      ONLY_WEB: "web",
      HOME: "/h",
    });
    expect(env).not.toHaveProperty("ONLY_BUILD");
    expect(env).not.toHaveProperty("UNUSED");
  });

  it("has what is meant for a process type only there", async () => {
    const { env } = await started({ as: "plain" });
    expect(env).toMatchObject({ LIST: "front,old,new", USERS: "buildpack" });
    expect(env).not.toHaveProperty("ONLY_WEB");
    const user = await started({ args: ["--", "show"] });
    expect(user.env).toMatchObject({ LIST: "front,old,new" });
    expect(user.env).not.toHaveProperty("ONLY_WEB");
  });

  it("has nothing that was meant for the launcher", async () => {
    const { env } = await started({
      as: "plain",
      env: {
        PATH: "/cnb/process:/cnb/lifecycle:/usr/bin:/bin",
        CNB_DEPRECATION_MODE: "quiet",
        CNB_STACK_ID: "stack",
        BPL_X: "x",
      },
    });
    expect(Object.keys(env).filter((name) => name.startsWith("CNB_"))).toEqual(["CNB_STACK_ID"]);
    expect(env).toMatchObject({ BPL_X: "x", PATH: expect.stringMatching(/more\/bin:\/usr\/bin:\/bin$/) });
  });

  it("passes through what is odd", async () => {
    const show = join(layers, "test_new/tools/bin/show");
    const env = { L: `CNB_LAYERS_DIR=${layers}`, A: `CNB_APP_DIR=${app}`, P: "CNB_PLATFORM_API=0.13" };
    const script = '"$0" odd-environ "$1" -- "$0" | od -An -v -tx1 | tr -d " \\n"';
    const hex = await mustRun("bash", ["-c", script, show, linked("launcher")], { env: { ...variables(), ...env } });
    const lines = Buffer.from(hex, "hex").toString("latin1").split("\n");
    const entries = lines.filter((line) => line.startsWith("env "));
    expect(entries).toContain("env EMPTY=");
    expect(entries).toContain("env BYTES=\xff\xfe\x80");
    expect(entries.filter((entry) => entry.startsWith("env TWICE="))).toEqual(["env TWICE=first"]);
    expect(entries).not.toContain("env no equals sign");
  });

  it("may be as large as the kernel allows", async () => {
    const big = Object.fromEntries(Array.from({ length: 15 }, (_, index) => [`BIG_${index}`, "é".repeat(50_000)]));
    const { env } = await started({ as: "plain", env: big });
    expect(env.BIG_14).toBe(big.BIG_14);
  });
});

describe("exec.d", () => {
  it("sets what its programs write, those for the process type last", async () => {
    const outcome = await started({ as: "web" });
    expect(outcome.env).toMatchObject({
      ORDER: "old new last old-web web",
      SEEN: `${app} new $HOME`,
      UMLAUT: "üü",
    });
    expect((await started({ as: "plain" })).env).toMatchObject({ ORDER: "old new last" });
  });

  it("runs without input, with the launcher's output", async () => {
    const { stdout, stderr } = await run(linked("plain"), [], { env: variables(), input: "not for exec.d" });
    expect(stdout).toContain("reads: 0\n");
    expect(stderr).toBe("to stderr\n");
  });

  it.each([
    ["exec-fails", "failed to execute exec.d file at path '{}': exit status 3"],
    ["exec-killed", "failed to execute exec.d file at path '{}': signal: terminated"],
    ["exec-denied", "failed to execute exec.d file at path '{}': fork/exec {}: permission denied"],
    ["exec-broken", "failed to decode output from exec.d file at path '{}': fd 3:1:5: "],
    ["exec-number", "failed to decode output from exec.d file at path '{}': the value of 'PORT' is no string"],
    ["exec-endless", "failed to execute exec.d file at path '{}': output exceeds 4194304 bytes"],
  ])("%s", async (type, message) => {
    const path = `${layers}/test_new/tools/exec.d/${type}/x`;
    const { code, stdout } = await start({ as: type });
    expect(stdout).toContain(`failed to launch: exec.d: ${message.replaceAll("{}", path)}`);
    expect(code).toBe(82);
  });
});

describe("a shell process", () => {
  it("sources profile scripts, then expands command and arguments as words", async () => {
    const caller = linked("shell");
    expect((await started({ as: "shell" })).args).toEqual(["show", `${caller} old new shell app`, "a  b", "sub"]);
  });

  it("is a script if it has no arguments", async () => {
    const { args, cwd } = await started({ as: "script" });
    expect(args).toEqual(["show", `${linked("script")} old new script app`]);
    expect(cwd).toBe("/");
  });

  it("is not needed for direct processes", async () => {
    expect((await started({ as: "plain" })).env).not.toHaveProperty("PROFILE");
  });
});

describe("a launcher that fails", () => {
  const error = (message: string) => `\x1b[31;1mERROR: \x1b[0m${message}\n`;

  async function layersWith(metadata: string | Buffer): Promise<string> {
    const dir = mkdtempSync(join(root, "layers-"));
    mkdirSync(join(dir, "config"));
    await writeFile(join(dir, "config/metadata.toml"), metadata);
    return dir;
  }

  it.each<[string, Launch, number, string]>([
    [
      "without a Platform API",
      { env: { CNB_PLATFORM_API: "" } },
      11,
      "failed to get platform API version; please set 'CNB_PLATFORM_API' to specify the desired platform API version",
    ],
    ["with no Platform API", { env: { CNB_PLATFORM_API: "x" } }, 11, "failed to parse platform API 'x'"],
    [
      "with an unsupported Platform API",
      { env: { CNB_PLATFORM_API: "0.6" } },
      11,
      "failed to set platform API: platform API version '0.6' is incompatible with the lifecycle",
    ],
    [
      "without a command",
      {},
      82,
      "failed to launch: determine start command: when there is no default process a command is required",
    ],
    [
      "without the program",
      { as: "missing" },
      82,
      'failed to launch: path lookup: exec: "no-such-program": executable file not found in $PATH',
    ],
    ["without a program", { as: "empty" }, 82, 'failed to launch: no command provided for process type "empty"'],
    [
      "with a directory for a program",
      { args: ["--", "/usr"] },
      82,
      'failed to launch: path lookup: exec: "/usr": is a directory',
    ],
    [
      "without the working directory",
      { as: "nowhere" },
      82,
      "failed to launch: change directory: chdir /no/such/directory: no such file or directory",
    ],
    [
      "without the application directory",
      { as: "plain", env: { CNB_APP_DIR: "/no/app" } },
      82,
      "failed to launch: change to app directory: chdir /no/app: no such file or directory",
    ],
    [
      "without metadata",
      { env: { CNB_LAYERS_DIR: "/no/layers" } },
      82,
      "failed to read metadata: open /no/layers/config/metadata.toml: no such file or directory",
    ],
  ])("%s says so", async (_, launch, code, message) => {
    const outcome = await start(launch);
    expect(outcome).toMatchObject({ code, stdout: expect.stringContaining(error(message)) });
  });

  it.each([
    [
      "0.6",
      12,
      "failed to set API for buildpack 'a/b': buildpack API version '0.6' is incompatible with the lifecycle",
    ],
    ["x", 12, "failed to parse buildpack API 'x' for buildpack 'a/b'"],
  ])("refuses Buildpack API %s", async (api, code, message) => {
    const dir = await layersWith(`[[buildpacks]]\nid = "a/b"\napi = "${api}"\n`);
    expect(await start({ env: { CNB_LAYERS_DIR: dir } })).toMatchObject({ code, stdout: error(message) });
  });

  it.each([
    ["[[processes]]\ntype = web", ":2:8: "],
    ["[[processes]]\ncommand = 3", ":2:1: processes[0].command: expected a string, found an integer"],
    ["processes = 3", ":1:1: processes: expected an array, found an integer"],
    ['[[processes]]\ntype = "\xff"', ": byte 22 is not valid UTF-8"],
  ])("names what is broken in metadata %#", async (metadata, message) => {
    const dir = await layersWith(Buffer.from(metadata, "latin1"));
    const { code, stdout } = await start({ env: { CNB_LAYERS_DIR: dir } });
    expect(stdout).toContain(`failed to read metadata: ${dir}/config/metadata.toml${message}`);
    expect(stdout.trim().split("\n")).toHaveLength(1);
    expect(code).toBe(82);
  });

  it.each(["CNB_NO_COLOR", "NO_COLOR"])("colors nothing if told so by %s", async (name) => {
    expect(await start({ env: { [name]: "1", CNB_PLATFORM_API: "x" } })).toMatchObject({
      stdout: "ERROR: failed to parse platform API 'x'\n",
    });
  });

  it("says when a variable has no effect", async () => {
    const { stdout } = await start({ as: "plain", env: { CNB_PROCESS_TYPE: "web" } });
    expect(stdout).toContain("\x1b[33;1mWarning: \x1b[0mCNB_PROCESS_TYPE is not supported in Platform API 0.13\n");
  });
});

describe.runIf(mayChroot())("in an image that holds nothing but a static application", () => {
  let image: string;

  beforeAll(async () => {
    image = mkdtempSync(join(tmpdir(), "image-"));
    chmodSync(image, 0o755);
    const show = join(layers, "test_new/tools/bin/show");
    for (const dir of ["cnb/lifecycle", "cnb/process", "workspace", "elsewhere", "layers/config"]) {
      mkdirSync(join(image, dir), { recursive: true });
    }
    cpSync(launcher, join(image, "cnb/lifecycle/launcher"));
    cpSync(show, join(image, "workspace/show"));
    mkdirSync(join(image, "layers/test_static/layer/exec.d"), { recursive: true });
    cpSync(show, join(image, "layers/test_static/layer/exec.d/set"));
    const metadata = join(image, "layers/config/metadata.toml");
    await writeFile(metadata, '[[buildpacks]]\nid = "test/static"\napi = "0.12"\n');
    for (const [type, fields] of [
      ["web", 'command = ["/workspace/show", "web"]\ndirect = true\nworking-dir = "/elsewhere"'],
      ["sh", 'command = "/workspace/show"\nargs = ["$HOME", "a  b"]\ndirect = false'],
    ]) {
      await appendFile(metadata, `[[processes]]\ntype = "${type}"\nbuildpack-id = "test/static"\n${fields}\n`);
      symlinkSync("/cnb/lifecycle/launcher", join(image, "cnb/process", `${type}`));
    }
  });

  afterAll(() => rmSync(image, { recursive: true }));

  const inImage = (...command: string[]) =>
    run("chroot", ["--userspec=1000:1000", "--groups=", image, ...command], {
      env: { CNB_PLATFORM_API: "0.13", PATH: "/cnb/process:/bin:/usr/bin:/usr/sbin:/sbin", HOME: "/home" },
    });

  it("starts the application, without a shell, libc, /proc, /dev and /tmp, as nobody in particular", async () => {
    const outcome = shown(await inImage("/cnb/process/web", "user"));
    expect(outcome).toMatchObject({
      code: 0,
      cwd: "/elsewhere",
      args: ["/workspace/show", "web", "user"],
      env: { FROM_STATIC_EXEC_D: "yes", HOME: "/home", PATH: "/bin:/usr/bin:/usr/sbin:/sbin" },
    });
    expect(Object.keys(outcome.env).filter((name) => name.startsWith("CNB_"))).toEqual([]);
  });

  it("says that there is no shell", async () => {
    expect(await inImage("/cnb/process/sh")).toMatchObject({
      code: 82,
      stdout: "\x1b[31;1mERROR: \x1b[0mfailed to launch: bash exec: no such file or directory\n",
    });
  });

  it("uses sh if there is no Bash", async () => {
    mkdirSync(join(image, "bin"));
    cpSync("/bin/busybox", join(image, "bin/sh"), { dereference: true });
    mkdirSync(join(image, "layers/test_static/layer/profile.d"));
    await writeFile(join(image, "layers/test_static/layer/profile.d/home"), 'export HOME="$HOME/profile $0"\n');
    await writeFile(join(image, "workspace/.profile"), 'export HOME="$HOME app"\n');
    expect(shown(await inImage("/cnb/process/sh")).args).toEqual([
      "/workspace/show",
      "/home/profile /cnb/process/sh app",
      "a  b",
    ]);
    expect(await inImage("/cnb/lifecycle/launcher", "echo $0 $((6 * 7)); exit 7")).toMatchObject({
      code: 7,
      stdout: "sh 42\n",
    });
  });
});

/** Types of the program headers of an ELF file of 64 bits, little-endian. */
function programHeaderTypes(elf: Buffer): number[] {
  const offset = Number(elf.readBigUInt64LE(32));
  const size = elf.readUInt16LE(54);
  return Array.from({ length: elf.readUInt16LE(56) }, (_, index) => elf.readUInt32LE(offset + index * size));
}

/** Whether tests can have a root directory of their own; in CI they must. */
function mayChroot(): boolean {
  const missing = [
    ...(process.getuid?.() === 0 ? [] : ["root"]),
    ...(existsSync("/bin/busybox") ? [] : ["busybox (Debian package busybox-static)"]),
  ];
  if (missing.length === 0) return true;
  const reason = `launcher in an image of its own, which takes ${missing.join(" and ")}`;
  if (process.env.CI) throw new Error(`cannot test: ${reason}`);
  process.stderr.write(`skipped: ${reason}\n`);
  return false;
}
