import type { BuildPlan, GroupElement } from "@lifecycle/spec-types";
import { describe, expect, it } from "vitest";
import type { DetectRun } from "./detect.ts";
import type { Logger } from "./logger.ts";
import { type DetectedElement, resolveGroup } from "./resolve.ts";

/** A plan in short: `+a` provides a, `-a` requires it, `|` begins an alternative. */
function plan(text: string): BuildPlan {
  const sections = text.split("|").map((part) => {
    const words = part.split(" ").filter((word) => word !== "");
    const named = (sign: string) =>
      words.filter((word) => word.startsWith(sign)).map((word) => ({ name: word.slice(1) }));
    return { provides: named("+"), requires: named("-") };
  });
  const [first = { provides: [], requires: [] }, ...or] = sections;
  return { ...first, or };
}

function member(id: string, text = "", more: Partial<GroupElement & DetectRun> = {}): DetectedElement {
  const { optional, extension, ...run } = more;
  return {
    element: { id, version: "1", ...(optional ? { optional } : {}), ...(extension ? { extension } : {}) },
    run: { code: 0, output: "", plan: plan(text), ...run },
  };
}

const optional = { optional: true };
const failing = { code: 100 };
const erring = { code: undefined, error: "broken" };

function resolve(...members: DetectedElement[]) {
  const lines: string[] = [];
  const log = (message: string): void => void lines.push(message);
  const logger: Logger = { debug: log, info: log, warn: log, error: log };
  const resolution = resolveGroup(members, logger);
  return {
    resolution,
    lines: lines.slice(lines.indexOf("======== Results ========") + 1),
    all: lines,
    ids: resolution.kind === "passed" ? resolution.group.map(({ id }) => id) : resolution.erred ? "erred" : "failed",
    entries: resolution.kind === "passed" ? resolution.plan : [],
  };
}

describe("verdicts", () => {
  it("passes a group whose members all pass", () => {
    const { ids, lines } = resolve(member("one"), member("other"));
    expect(ids).toEqual(["one", "other"]);
    expect(lines).toEqual(["pass: one@1", "pass: other@1", "Resolving plan... (try #1)", "one   1", "other 1"]);
  });

  it("leaves out optional members that do not pass", () => {
    const { ids, lines } = resolve(member("a", "", { ...failing, ...optional }), member("b"));
    expect(ids).toEqual(["b"]);
    expect(lines).toEqual([
      "skip: a@1",
      "pass: b@1",
      "Resolving plan... (try #1)",
      "1 of 2 buildpacks participating",
      "b 1",
    ]);
  });

  it("fails a group when a required member does not pass", () => {
    const { ids, lines } = resolve(member("a"), member("b", "", failing));
    expect(ids).toBe("failed");
    expect(lines).toEqual(["pass: a@1", "fail: b@1"]);
  });

  it("tells errors from failures, with the exit code where there is one", () => {
    const { ids, lines, all } = resolve(member("a", "", { code: 7, output: "out\n" }), member("b", "", erring));
    expect(ids).toBe("erred");
    expect(lines).toEqual(["err:  a@1 (7)", "err:  b@1"]);
    expect(all.slice(0, 4)).toEqual([
      "======== Output: a@1 ========",
      "out\n",
      "======== Error: b@1 ========",
      "broken",
    ]);
  });

  it("passes in spite of an optional member's error, but remembers it if the group fails otherwise", () => {
    expect(resolve(member("a", "", { ...erring, ...optional }), member("b")).ids).toEqual(["b"]);
    expect(resolve(member("a", "", { ...erring, ...optional }), member("b", "", failing)).ids).toBe("erred");
  });

  it("needs a buildpack, not merely extensions", () => {
    const { ids, lines } = resolve(
      member("x", "+a", { extension: true, ...optional }),
      member("b", "", { ...failing, ...optional }),
    );
    expect(ids).toBe("failed");
    expect(lines.at(-1)).toBe("fail: no viable buildpacks in group");
    expect(resolve().ids).toBe("failed");
  });
});

describe("build plan", () => {
  it("gathers who provides and who requires, in the order of first mention", () => {
    const { entries } = resolve(member("node", "+node"), member("npm", "+npm -node"), member("app", "-npm -node"));
    expect(entries).toEqual([
      { providers: [{ id: "node", version: "1" }], requires: [{ name: "node" }, { name: "node" }] },
      { providers: [{ id: "npm", version: "1" }], requires: [{ name: "npm" }] },
    ]);
  });

  it("lets a buildpack provide what it requires itself, and several provide the same", () => {
    expect(resolve(member("a", "+x -x")).ids).toEqual(["a"]);
    const { entries } = resolve(member("a", "+x"), member("b", "+x -x"));
    expect(entries[0]?.providers.map(({ id }) => id)).toEqual(["a", "b"]);
  });

  it("fails for what is required before it is provided", () => {
    const { ids, lines } = resolve(member("a", "-x"), member("b", "+x"));
    expect(ids).toBe("failed");
    expect(lines.slice(-2)).toEqual(["Resolving plan... (try #1)", "fail: a@1 requires x"]);
  });

  it("fails for what is provided and not required afterwards", () => {
    const { ids, lines } = resolve(member("a", "+x -x"), member("b", "+x"));
    expect(ids).toBe("failed");
    expect(lines.at(-1)).toBe("fail: b@1 provides unused x");
  });

  it("leaves out optional members one after the other until the rest fits", () => {
    const { ids, lines } = resolve(
      member("a", "+x", optional),
      member("b", "-x +y", optional),
      member("c", "-z", optional),
      member("d"),
    );
    expect(ids).toEqual(["d"]);
    expect(lines.slice(4)).toEqual([
      "Resolving plan... (try #1)",
      "skip: c@1 requires z",
      "skip: b@1 provides unused y",
      "skip: a@1 provides unused x",
      "1 of 4 buildpacks participating",
      "d 1",
    ]);
  });

  it("leaves out unused extensions and keeps used ones as providers", () => {
    const extension = { extension: true, ...optional };
    const { ids, entries } = resolve(member("x", "+a", extension), member("y", "+b", extension), member("z", "-a"));
    expect(ids).toEqual(["x", "z"]);
    expect(entries[0]?.providers).toEqual([{ id: "x", version: "1", extension: true }]);
  });

  it("fails when nothing is left", () => {
    const { ids, lines } = resolve(member("a", "-x", optional));
    expect(ids).toBe("failed");
    expect(lines.slice(-2)).toEqual(["skip: a@1 requires x", "fail: no viable buildpacks in group"]);
  });
});

describe("alternatives", () => {
  it("are tried depth-first from the left", () => {
    const { ids, lines, entries } = resolve(member("a", "+p|+q"), member("b", "-q -p|-q"));
    expect(ids).toEqual(["a", "b"]);
    expect(lines.slice(2)).toEqual([
      "Resolving plan... (try #1)",
      "fail: b@1 requires q",
      "Resolving plan... (try #2)",
      "fail: b@1 requires q",
      "Resolving plan... (try #3)",
      "fail: b@1 requires p",
      "Resolving plan... (try #4)",
      "a 1",
      "b 1",
    ]);
    expect(entries).toHaveLength(1);
  });

  it("of an optional member must all fail before it is left out", () => {
    const { ids, lines } = resolve(member("a", "-x|-y", optional), member("b"));
    expect(ids).toEqual(["b"]);
    expect(lines.slice(2, 6)).toEqual([
      "Resolving plan... (try #1)",
      "fail: a@1 requires x",
      "Resolving plan... (try #2)",
      "skip: a@1 requires y",
    ]);
  });
});
