import { describe, expect, it } from "vitest";
import type { Host } from "./host.ts";
import { lookPath } from "./look-path.ts";

const hostWith = (...executables: string[]) =>
  ({
    whyNotExecutable: (path: string) => (executables.includes(path) ? undefined : "permission denied"),
  }) as Partial<Host> as Host;

describe("lookPath", () => {
  it.each([
    ["node", "/a:/b", ["/b/node"], "/b/node"],
    ["node", "/a:/b", ["/a/node", "/b/node"], "/a/node"],
    ["/abs/node", "", ["/abs/node"], "/abs/node"],
    ["./node", "/a", ["./node"], "./node"],
    ["bin/node", "/a", ["bin/node"], "bin/node"],
  ])("finds %s in %s", (program, path, executables, expected) => {
    expect(lookPath(program, path, hostWith(...executables))).toBe(expected);
  });

  it.each([
    ["node", "/a", [], 'exec: "node": executable file not found in $PATH'],
    ["node", "", ["/node", "node"], 'exec: "node": executable file not found in $PATH'],
    ["", "/a", ["/a"], 'exec: "": executable file not found in $PATH'],
    ["./node", "/a", ["/a/node"], 'exec: "./node": permission denied'],
    [
      "node",
      "bin:/a",
      ["bin/node", "/a/node"],
      'exec: "node": cannot run executable found relative to current directory',
    ],
    ["node", ":/a", ["node"], 'exec: "node": cannot run executable found relative to current directory'],
  ])("does not find %s in %j", (program, path, executables, message) => {
    expect(() => lookPath(program, path, hostWith(...executables))).toThrow(message);
  });
});
