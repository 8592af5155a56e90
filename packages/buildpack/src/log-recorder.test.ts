import { expect, it } from "vitest";
import { LogRecorder } from "./log-recorder.ts";

function replayed(recorder: LogRecorder, raiseDebug: boolean): string[] {
  const lines: string[] = [];
  const at = (level: string) => (message: string) => void lines.push(`${level}: ${message}`);
  recorder.replay({ debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") }, { raiseDebug });
  return lines;
}

it("gives entries back in order, with debug entries raised on demand", () => {
  const recorder = new LogRecorder();
  recorder.debug("one");
  recorder.info("two");
  recorder.warn("three");
  recorder.error("four");
  expect(replayed(recorder, false)).toEqual(["debug: one", "info: two", "warn: three", "error: four"]);
  expect(replayed(recorder, true)).toEqual(["info: one", "info: two", "warn: three", "error: four"]);
});

it("keeps no more than can be read, and says how much that leaves out", () => {
  const recorder = new LogRecorder();
  for (let line = 0; line < 100_010; line += 1) recorder.debug("line");
  const lines = replayed(recorder, true);
  expect(lines).toHaveLength(100_001);
  expect(lines.at(-1)).toBe("info: [... 10 more lines left out ...]");
});
