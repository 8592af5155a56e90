import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { RootPaths } from "./root-paths.ts";
import { Users } from "./users.ts";

describe("users of a root", () => {
  const root = mkdtempSync(join(tmpdir(), "users-"));
  const users = new Users(new RootPaths(root));

  beforeAll(() => {
    mkdirSync(join(root, "etc"));
    writeFileSync(
      join(root, "etc/passwd"),
      "root:x:0:0::/root:/bin/sh\nbroken\n# x\napp:x:1000:100::/home/app:\n12:x:7:7::/:\nnobody:x:9:50::/:\n",
    );
    writeFileSync(join(root, "etc/group"), "root:x:0:\nusers:x:100:\nstaff:x:50:x,app\napp:x:1001:app\n");
  });

  afterAll(() => rmSync(root, { recursive: true }));

  it.each([
    ["", { uid: 0, gid: 0, groups: [], home: "/root" }],
    ["app", { uid: 1000, gid: 100, groups: [50, 1001], home: "/home/app" }],
    ["1000", { uid: 1000, gid: 100, groups: [50, 1001], home: "/home/app" }],
    ["app:staff", { uid: 1000, gid: 50, groups: [], home: "/home/app" }],
    ["4321", { uid: 4321, gid: 0, groups: [], home: "/" }],
    ["4321:8", { uid: 4321, gid: 8, groups: [], home: "/" }],
    [":8", { uid: 0, gid: 8, groups: [], home: "/root" }],
  ])("USER %j", (text, expected) => {
    expect(users.runUser(text)).toEqual(expected);
  });

  it.each([
    ["app", { uid: 1000, gid: 1001 }],
    ["app:users", { uid: 1000, gid: 100 }],
    ["nobody", { uid: 9, gid: 50 }],
    ["1000", { uid: 1000, gid: 1000 }],
    ["5:6", { uid: 5, gid: 6 }],
  ])("--chown=%s", (text, expected) => {
    expect(users.owner(text)).toEqual(expected);
  });

  it("says who is unknown", () => {
    expect(() => users.runUser("x")).toThrow("unable to find user x: no matching entries in passwd file");
    expect(() => users.runUser("app:x")).toThrow("unable to find group x: no matching entries in group file");
    expect(() => users.owner("x")).toThrow("unable to find user x");
    expect(() => users.owner(":5")).toThrow("invalid chown string format: :5");
    expect(() => users.runUser("4294967295")).toThrow("unable to find user 4294967295");
  });
});
