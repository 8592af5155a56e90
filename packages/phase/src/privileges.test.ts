import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { becomeUser, environmentForUser } from "./privileges.ts";

/** In no /etc/passwd. */
const stranger = 2_000_000_042;

it("gives a user of /etc/passwd that user's HOME and USER", () => {
  const [name, , , , , home] = readFileSync("/etc/passwd", "utf8").split("\n")[0]?.split(":") ?? [];
  expect(environmentForUser(0, { HOME: "/elsewhere", A: "b" })).toEqual({ HOME: home, USER: name, A: "b" });
});

it("leaves a user whom /etc/passwd does not know the HOME and USER that are set", () => {
  const env = { HOME: "/home/made-up", USER: "made-up", A: "b" };
  expect(environmentForUser(stranger, env)).toEqual(env);
  const says = `failed to set environment for user ${stranger}: user: unknown userid ${stranger}`;
  expect(() => environmentForUser(stranger, { HOME: "/home/made-up" })).toThrow(says);
});

it.runIf(process.getuid?.() === 0)("does not ask root to be root where that may not give directories away", () => {
  const dir = mkdtempSync(join(tmpdir(), "volume-"));
  // takes the capabilities that root has
  process.seteuid?.(stranger);
  try {
    const become = () => becomeUser({ uid: stranger, gid: stranger }, [dir]);
    const remedy = `give it to user ${stranger}:${stranger}, or give the container the capability CHOWN`;
    expect(become).toThrow(`failed to chown volumes: chown ${dir}: operation not permitted; ${remedy}`);
  } finally {
    process.seteuid?.(0);
    rmSync(dir, { recursive: true });
  }
});
