import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { environmentForUser } from "./privileges.ts";

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
