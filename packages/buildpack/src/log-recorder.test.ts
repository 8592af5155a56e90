import { expect, it } from "vitest";
import { LogRecorder } from "./log-recorder.ts";

function replayed(recorder: LogRecorder): string[] {
  const lines: string[] = [];
  const at = (level: string) => (message: string) => void lines.push(`${level}: ${message}`);
  recorder.replay({ debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") });
  return lines;
}

it("gives entries back in order", () => {
  const recorder = new LogRecorder();
  recorder.debug("one");
  recorder.info("two");
  recorder.warn("three");
  recorder.error("four");
  expect(replayed(recorder)).toEqual(["debug: one", "info: two", "warn: three", "error: four"]);
});

it("keeps no more than can be read, and says how much that leaves out", () => {
  const recorder = new LogRecorder();
  for (let line = 0; line < 100_010; line += 1) recorder.debug("line");
  const lines = replayed(recorder);
  expect(lines).toHaveLength(100_001);
  expect(lines.at(-1)).toBe("info: [... 10 more lines left out ...]");
});
