import { expect, it } from "vitest";
import { parseBuildPlan } from "./build-plan.ts";
import { formatBuildpackPlan, parseBuildpackPlan } from "./buildpack-plan.ts";
import { formatPlan, parsePlan } from "./plan-toml.ts";

// As the reference lifecycle 0.21 writes it.
const PLAN = `[[entries]]

  [[entries.providers]]
    id = "a"
    version = "1"

  [[entries.providers]]
    id = "e"
    version = "1"
    extension = true

  [[entries.requires]]
    name = "node"
    [entries.requires.metadata]
      build = true
      version = 20
      [entries.requires.metadata.a]
        b = 1.0
`;

it("reads and writes plan.toml", () => {
  const plan = parsePlan(PLAN, "plan.toml");
  expect(plan.entries[0]?.providers[1]).toEqual({ id: "e", version: "1", extension: true });
  expect(plan.entries[0]?.requires).toEqual([{ name: "node", metadata: { build: true, version: 20n, a: { b: 1 } } }]);
  expect(formatPlan(plan)).toBe(PLAN);
  expect(formatPlan({ entries: [] })).toBe("");
});

it("reads a build plan with alternatives", () => {
  const text =
    "[[provides]]\nname = 'a'\n[[requires]]\nname = 'b'\nversion = '1'\n[[or]]\n[[or.requires]]\nname = 'c'\n[or.requires.metadata]\nlaunch = true";
  expect(parseBuildPlan(text, "plan.toml")).toEqual({
    provides: [{ name: "a" }],
    requires: [{ name: "b", version: "1" }],
    or: [{ provides: [], requires: [{ name: "c", metadata: { launch: true } }] }],
  });
});

it("writes a buildpack plan that is read back equal", () => {
  const plan = {
    entries: [
      { name: "a", metadata: { 'k"y': ["x", 1n, 2.5] } },
      { name: "b", version: "1" },
    ],
  };
  expect(parseBuildpackPlan(formatBuildpackPlan(plan), "plan.toml")).toEqual(plan);
  expect(formatBuildpackPlan({ entries: [] })).toBe("");
});
