import { ConsoleLogger } from "@lifecycle/phase";
import { ApiVersion } from "@lifecycle/spec-types";
import { expect, it } from "vitest";
import { sourceDateEpoch } from "./source-date-epoch.ts";

const api = ApiVersion.parse("0.13");
const lines: string[] = [];
const logger = new ConsoleLogger({ level: "info", color: false }, (line) => lines.push(line));

it.each([
  ["0", "1970-01-01T00:00:00.000Z"],
  ["+1700000000", "2023-11-14T22:13:20.000Z"],
  ["-5", "1969-12-31T23:59:55.000Z"],
  ["253402300799", "9999-12-31T23:59:59.000Z"],
])("takes %s seconds for %s", (text, time) => {
  expect(sourceDateEpoch(text, api, logger)?.toISOString()).toBe(time);
});

it.each(["abc", "1.5", " 5", "1e3", "0x10", "253402300800", "99999999999999999999"])(
  "ignores %j and says so",
  (text) => {
    lines.length = 0;
    expect(sourceDateEpoch(text, api, logger)).toBeUndefined();
    expect(lines).toEqual(["Warning: Ignoring invalid SOURCE_DATE_EPOCH\n"]);
  },
);

it("has no effect before Platform API 0.9", () => {
  expect(sourceDateEpoch("5", ApiVersion.parse("0.8"), logger)).toBeUndefined();
});
