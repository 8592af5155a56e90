import { describe, expect, it } from "vitest";
import { dispatch, EXECUTABLE_NAMES } from "./dispatch.ts";

describe("dispatch", () => {
  it("runs the executable whose name it was started by, wherever that name lies", () => {
    for (const executable of EXECUTABLE_NAMES) {
      for (const startedAs of [executable, `/cnb/lifecycle/${executable}`, `./${executable}`, `${executable}.exe`]) {
        expect(dispatch(startedAs, ["-version"])).toEqual({ kind: "run", executable, argv: ["-version"] });
      }
    }
  });

  it("takes the phase from the first argument under any other name", () => {
    expect(dispatch("/cnb/lifecycle/lifecycle", ["detect", "-app", "/workspace"])).toEqual({
      kind: "run",
      executable: "detector",
      argv: ["-app", "/workspace"],
    });
    expect(dispatch("renamed", ["create"])).toEqual({ kind: "run", executable: "creator", argv: [] });
  });

  it("knows phases by their verb alone", () => {
    expect(dispatch("lifecycle", ["detector"])).toEqual({ kind: "unknown phase", phase: "detector" });
    expect(dispatch("lifecycle", ["toString"])).toEqual({ kind: "unknown phase", phase: "toString" });
    expect(dispatch("constructor", ["detect"])).toMatchObject({ executable: "detector" });
  });

  it("prints the version by itself and asks for arguments", () => {
    expect(dispatch("lifecycle", ["-version"])).toEqual({ kind: "version" });
    expect(dispatch("lifecycle", [])).toEqual({ kind: "no arguments" });
  });
});
