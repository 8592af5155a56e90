import { expect, it } from "vitest";
import { verifyNumbers } from "./inputs.ts";

it("refuses users that are no numbers, where a user is wanted", () => {
  for (const text of ["abc", "1000\n", "1000x", "0x10"]) {
    expect(() => verifyNumbers({ CNB_USER_ID: text }, ["gid", "uid"])).toThrow(
      `failed to parse CNB_USER_ID: ${JSON.stringify(text)} is no number`,
    );
  }
  expect(() => verifyNumbers({ CNB_GROUP_ID: "cnb" }, ["gid", "uid"])).toThrow("failed to parse CNB_GROUP_ID");
  expect(() => verifyNumbers({ CNB_MAX_BYTES: "4G" }, ["max-bytes"])).toThrow('failed to parse CNB_MAX_BYTES: "4G"');
  verifyNumbers({ CNB_USER_ID: "1000", CNB_GROUP_ID: "", CNB_MAX_BYTES: "4G" }, ["gid", "uid"]);
});
