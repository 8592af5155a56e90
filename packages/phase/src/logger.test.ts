import { expect, it } from "vitest";
import { ConsoleLogger } from "./logger.ts";

function record(options: { level: string; color: boolean }) {
  const entries: string[] = [];
  return { entries, logger: new ConsoleLogger(options, (text) => entries.push(text)) };
}

it("marks warnings and errors, and ends each entry with one line feed", () => {
  const { entries, logger } = record({ level: "info", color: false });
  logger.info("Reusing layer 'a:b'\n");
  logger.warn("low on disk");
  logger.error("failed to build");
  expect(entries).toEqual(["Reusing layer 'a:b'\n", "Warning: low on disk\n", "ERROR: failed to build\n"]);
});

it("colours only the marks and the headings", () => {
  const { entries, logger } = record({ level: "info", color: true });
  logger.phase("DETECTING");
  logger.warn("x");
  logger.error("y");
  expect(entries).toEqual([
    "\u001b[36m===> DETECTING\u001b[0m\n",
    "\u001b[33;1mWarning: \u001b[0mx\n",
    "\u001b[31;1mERROR: \u001b[0my\n",
  ]);
});

it("prints every entry for what a failure has to show", () => {
  const { entries, logger } = record({ level: "error", color: false });
  const all = logger.unfiltered();
  all.debug("d");
  all.info("i");
  logger.info("not asked for");
  expect(entries).toEqual(["d\n", "i\n"]);
});

it.each([
  ["debug", 4],
  ["INFO", 3],
  ["warning", 2],
  ["warn", 2],
  ["error", 1],
])("prints at level %s what is at least as grave", (level, count) => {
  const { entries, logger } = record({ level, color: false });
  logger.debug("d");
  logger.info("i");
  logger.warn("w");
  logger.error("e");
  expect(entries).toHaveLength(count);
});

it("refuses a level that there is not", () => {
  expect(() => record({ level: "loud", color: false })).toThrow("failed to parse log level: invalid level");
});

it("writes JSON, one object per line, with the phase", () => {
  const entries: string[] = [];
  const logger = new ConsoleLogger({ level: "info", color: true, format: "json", phase: "creator" }, (text) =>
    entries.push(text),
  );
  logger.warn("low on disk", { image: "app" });
  logger.phase("EXPORTING");
  logger.info("Reusing layer 'a:b'", { buildpack: "a" });
  expect(entries.every((text) => /^[^\n]+\n$/.test(text))).toBe(true);
  expect(entries.map((text) => JSON.parse(text))).toEqual([
    { level: "warn", time: expect.any(String), phase: "creator", image: "app", msg: "low on disk" },
    { level: "info", time: expect.any(String), phase: "exporting", msg: "EXPORTING" },
    { level: "info", time: expect.any(String), phase: "exporting", buildpack: "a", msg: "Reusing layer 'a:b'" },
  ]);
});

it("refuses a format that there is not", () => {
  expect(() => new ConsoleLogger({ level: "info", color: false, format: "xml" }, () => {})).toThrow(
    "failed to parse log format: 'xml' is neither text nor json",
  );
});
