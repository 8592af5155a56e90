import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { newBuildEnv } from "./build-env.ts";
import { Env, LAYER_DEFAULT_ACTION } from "./env.ts";
import { nodeEnvFs } from "./node-env-fs.ts";

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "env-"));
});
afterEach(() => rmSync(root, { recursive: true }));

function dir(name: string, files: Record<string, string>): string {
  const path = join(root, name);
  mkdirSync(path, { recursive: true });
  for (const [file, content] of Object.entries(files)) writeFileSync(join(path, file), content);
  return path;
}

function applied(vars: Record<string, string>, files: Record<string, string>) {
  const env = new Env(Object.entries(vars), new Map());
  env.addEnvDir(dir("env", files), LAYER_DEFAULT_ACTION, nodeEnvFs);
  return { ...env.toObject() };
}

describe("addEnvDir", () => {
  it.each([
    ["no suffix overrides", { A: "old" }, { A: "new" }, { A: "new" }],
    [".override overrides", { A: "old" }, { "A.override": "new" }, { A: "new" }],
    [".override with nothing empties", { A: "old" }, { "A.override": "" }, { A: "" }],
    [".default yields to a value", { A: "old" }, { "A.default": "new" }, { A: "old" }],
    [".default replaces an empty value", { A: "" }, { "A.default": "new" }, { A: "new" }],
    [".default sets what is unset", {}, { "A.default": "new" }, { A: "new" }],
    [".append goes behind without delimiter", { A: "old" }, { "A.append": "new" }, { A: "oldnew" }],
    [".prepend goes in front without delimiter", { A: "old" }, { "A.prepend": "new" }, { A: "newold" }],
    [".delim separates", { A: "old" }, { "A.append": "new", "A.delim": ", " }, { A: "old, new" }],
    [".delim is not used beside nothing", { A: "" }, { "A.prepend": "new", "A.delim": ":" }, { A: "new" }],
    ["PATH has no delimiter of its own", { PATH: "/bin" }, { "PATH.prepend": "/x" }, { PATH: "/x/bin" }],
    ["files apply by name", {}, { "A.prepend": "p", "A.append": "a", "A.override": "o" }, { A: "po" }],
    ["unknown suffixes are ignored", { A: "old" }, { "A.append.bak": "x", "A.delim": ":", "B.txt": "y" }, { A: "old" }],
    ["a name ending in its period lists paths", { A: "old" }, { "A.": "new" }, { A: "new:old" }],
    ["contents stay as they are", {}, { A: " $HOME\n\n" }, { A: " $HOME\n\n" }],
    ["no name is special", {}, { constructor: "1", toString: "2" }, { constructor: "1", toString: "2" }],
  ])("%s", (_, vars, files, expected) => {
    expect(applied(vars, files as Record<string, string>)).toEqual(expected);
  });

  it("passes over directories and links to them, and reads links to files", () => {
    const path = dir("env", {});
    mkdirSync(join(path, "web"));
    symlinkSync("web", join(path, "LINK"));
    writeFileSync(join(root, "value"), "v");
    symlinkSync("../value", join(path, "A"));
    const env = new Env([], new Map());
    env.addEnvDir(path, "override", nodeEnvFs);
    expect(env.list()).toEqual(["A=v"]);
  });

  it("names the directory of a file it cannot read", () => {
    const path = dir("env", {});
    symlinkSync("nowhere", join(path, "A"));
    expect(() => new Env([], new Map()).addEnvDir(path, "override", nodeEnvFs)).toThrow(
      `apply env files from dir '${path}': read '${path}/A': no such file`,
    );
  });

  it("passes over a missing directory", () => {
    new Env([], new Map()).addEnvDir(join(root, "none"), "override", nodeEnvFs);
  });
});

describe("addRootDir", () => {
  it("puts later layers in front of earlier ones and of what was there", () => {
    for (const child of ["one/bin", "one/lib", "two/bin", "two/include", "two/pkgconfig"]) dir(child, {});
    const env = newBuildEnv(["PATH=/usr/bin"]);
    env.addRootDir(join(root, "one"), nodeEnvFs);
    env.addRootDir(join(root, "two"), nodeEnvFs);
    expect({ ...env.toObject() }).toEqual({
      PATH: `${root}/two/bin:${root}/one/bin:/usr/bin`,
      LD_LIBRARY_PATH: `${root}/one/lib`,
      LIBRARY_PATH: `${root}/one/lib`,
      CPATH: `${root}/two/include`,
      PKG_CONFIG_PATH: `${root}/two/pkgconfig`,
    });
  });
});

describe("withOverrides", () => {
  it("applies the user's variables, then the operator's, to a copy", () => {
    dir("platform/env", { PATH: "/user", A: "user", B: "user", "C.append": "c" });
    dir("config/env", { A: "operator", "B.append": "+operator", D: "operator" });
    const env = newBuildEnv(["PATH=/usr/bin", "HOME=/home/cnb"]);
    env.set("A", "buildpack");
    const overridden = env.withOverrides(
      { platformDir: join(root, "platform"), buildConfigDir: join(root, "config") },
      nodeEnvFs,
    );
    expect({ ...overridden.toObject() }).toEqual({
      PATH: "/user:/usr/bin",
      HOME: "/home/cnb",
      A: "user",
      B: "user+operator",
      "C.append": "c",
      D: "operator",
    });
    expect(env.list()).toEqual(["PATH=/usr/bin", "HOME=/home/cnb", "A=buildpack"]);
  });

  it("leaves out the user's variables for clear-env", () => {
    dir("config/env", { A: "operator" });
    expect(new Env([], new Map()).withOverrides({ buildConfigDir: join(root, "config") }, nodeEnvFs).list()).toEqual([
      "A=operator",
    ]);
  });
});
