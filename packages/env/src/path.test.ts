import { expect, it } from "vitest";
import { joinPath } from "./path.ts";

it.each([
  [["/layers/", "bp"], "/layers/bp"],
  [["/a//b/./c", "../d"], "/a/b/d"],
  [["/..", "x"], "/x"],
  [["a", "..", "..", "b"], "../b"],
  [["a", ".."], "."],
  [["/"], "/"],
  [["", "a", ""], "a"],
  [["", ""], ""],
])("joins %j to %s", (elements, expected) => {
  expect(joinPath(...elements)).toBe(expected);
});
