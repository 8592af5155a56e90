import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { findShell, shellArguments } from "./shell.ts";

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "shell-"));
});
afterEach(() => rmSync(root, { recursive: true }));

it("prefers Bash, and takes sh if there is no Bash", () => {
  expect(findShell(() => true).path).toBe("/bin/bash");
  expect(findShell((path) => path === "/bin/sh").path).toBe("/bin/sh");
  expect(findShell(() => false).path).toBe("/bin/bash");
});

describe.each(["/bin/bash", "/bin/sh"])("with %s", (path) => {
  const shell = findShell((candidate) => candidate === path);
  const run = (command: string, args: string[], profiles: string[] = [], workingDirectory = root) => {
    const [, ...rest] = shellArguments(shell, "launcher", { profiles, workingDirectory, command, args });
    return execFileSync(path, rest, {
      cwd: root,
      env: { FOO: "foo  bar", PATH: "/usr/bin:/bin" },
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    });
  };

  it("takes a command without arguments as a script", () => {
    expect(run('printf "<%s>" "$FOO" | cat; printf "%s" "$0 $#"', [])).toBe(`<foo  bar>${shell.name} 0`);
  });

  it("takes command and arguments as words and expands each", () => {
    const words = ["$FOO", "a   b", "<%s>", "it's", "$(printf sub)", ";", "*", "", "-n", "a\\tb"];
    expect(run("printf", ["<%s>", ...words])).toBe("<foo  bar><a   b><<%s>><it's><sub><;><*><><-n><a\\tb>");
    expect(run("$CMD", [], [profile("cmd", 'CMD="printf x"; export CMD')])).toBe("x");
  });

  it("passes more than nine arguments", () => {
    const words = Array.from({ length: 12 }, (_, index) => `${index}`);
    expect(run("printf", ["%s,", ...words])).toBe("0,1,2,3,4,5,6,7,8,9,10,11,");
  });

  it("sources profile scripts in order and tells them its caller", () => {
    const profiles = [profile('it\'s $(one) "quoted"', 'export A="$0"'), profile("two", 'export A="$A+two"; cd /')];
    expect(run("$GO", ["$A", "$PWD"], [...profiles, profile("go", 'export GO="echo"')])).toBe(`launcher+two ${root}\n`);
  });

  it("goes to a working directory of any name", () => {
    const strange = join(root, "a $FOO 'b' \"c\"");
    mkdirSync(strange);
    expect(run("pwd", [], [], strange)).toBe(`${strange}\n`);
  });

  it("does not start the process in another directory than the one asked for", () => {
    expect(() => run("echo started", [], [], join(root, "none"))).toThrow(
      expect.objectContaining({ status: 82, stdout: "" }),
    );
  });

  function profile(name: string, script: string): string {
    const path = join(root, name);
    writeFileSync(path, script);
    return path;
  }
});
