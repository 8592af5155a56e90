import { expect, it } from "vitest";
import { guardExperimental } from "./experimental.ts";
import { ConsoleLogger } from "./logger.ts";

/** What is printed when a platform asks for a feature in that mode. */
function printedIn(mode: string): string {
  let printed = "";
  const logger = new ConsoleLogger({ level: "info", color: false }, (text) => {
    printed += text;
  });
  guardExperimental("layouts", mode, logger);
  return printed;
}

it.each(["silent", "quiet"])("says nothing in mode %s", (mode) => {
  expect(printedIn(mode)).toBe("");
});

it("warns in mode warn", () => {
  expect(printedIn("warn")).toBe("Warning: Platform requested experimental feature 'layouts'\n");
});

it("fails in mode error", () => {
  expect(() => printedIn("error")).toThrow("experimental features are disabled by CNB_EXPERIMENTAL_MODE=error");
});
