import { readFileSync, renameSync } from "node:fs";
import { expect, it } from "vitest";
import { textOfErrno } from "./error-texts.ts";
import { messageOf, reasonOf, systemCode } from "./errors.ts";

function thrownBy(work: () => unknown): unknown {
  try {
    work();
  } catch (error) {
    return error;
  }
  throw new Error("nothing was thrown");
}

it("says what a failed system call was about, in the order in which other tools do", () => {
  const reading = thrownBy(() => readFileSync("/not/there"));
  expect(messageOf(reading)).toBe("open /not/there: no such file or directory");
  expect(reasonOf(reading)).toBe("ENOENT: no such file or directory");
  expect(systemCode(reading)).toBe("ENOENT");
  const renaming = thrownBy(() => renameSync("/not/there", "/nor/here"));
  expect(messageOf(renaming)).toBe("rename /not/there /nor/here: no such file or directory");
});

it("takes what was thrown otherwise as it is", () => {
  const other = new Error("it is broken, in two");
  expect([messageOf(other), reasonOf(other), systemCode(other)]).toEqual([other.message, other.message, undefined]);
  expect([messageOf("a text"), reasonOf("a text"), systemCode("a text")]).toEqual(["a text", "a text", undefined]);
});

it("says what an error number means", () => {
  expect([2, 8, 13, 9999].map(textOfErrno)).toEqual([
    "no such file or directory",
    "exec format error",
    "permission denied",
    "error 9999",
  ]);
});
