import type { Plan } from "@lifecycle/spec-types";
import { describe, expect, it } from "vitest";
import { planFor, withoutMet } from "./plan.ts";

const plan: Plan = {
  entries: [
    { providers: [{ id: "a", version: "1" }], requires: [{ name: "x" }, { name: "x", metadata: { version: "2" } }] },
    { providers: [{ id: "a", version: "1", extension: true }], requires: [{ name: "y" }] },
    { providers: [{ id: "b", version: "1" }], requires: [{ name: "z" }] },
  ],
};

describe("the build plan", () => {
  it("asks buildpacks and extensions each for their own, also under the same id", () => {
    expect(planFor("Buildpack", "a", plan).entries).toEqual(plan.entries[0]?.requires);
    expect(planFor("Extension", "a", plan).entries).toEqual([{ name: "y" }]);
    expect(planFor("Extension", "b", plan).entries).toEqual([]);
  });

  it("goes on without what is met", () => {
    expect(withoutMet(plan, ["x", "z"]).entries).toEqual([plan.entries[1]]);
  });
});
