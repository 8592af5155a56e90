import { expect, it } from "vitest";
import { formatGoDuration, parseGoDuration } from "./go-duration.ts";

it.each([
  ["0", 0],
  ["336h", 1_209_600],
  ["1m30s", 90],
  ["1.5h", 5400],
  [".5s", 0.5],
  ["-2m", -120],
  ["+1µs", 1e-6],
])("reads %s", (text, seconds) => expect(parseGoDuration(text)).toBeCloseTo(seconds, 9));

it.each(["", "1", "h", "1d", "1h ", "1h-1m", ".s", "9999999h", "1\n"])("does not take %j for a duration", (text) => {
  expect(parseGoDuration(text)).toBeUndefined();
});

it.each([
  [1_209_600, "336h0m0s"],
  [90, "1m30s"],
  [1.5, "1.5s"],
  [0.25, "250ms"],
  [0, "0s"],
  [-60, "-1m0s"],
])("writes %d seconds", (seconds, text) => expect(formatGoDuration(seconds)).toBe(text));
