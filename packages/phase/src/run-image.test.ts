import { ApiVersion } from "@lifecycle/spec-types";
import { expect, it } from "vitest";
import { inputsFromEnvironment } from "./inputs.ts";
import { ConsoleLogger } from "./logger.ts";
import { accessChecker, bestRunImage } from "./run-image.ts";
import { TransferDisplay } from "./transfer-display.ts";

it("says why a run image cannot be read, to who debugs", async () => {
  const lines: string[] = [];
  const logger = new ConsoleLogger({ level: "debug", color: false }, (line) => lines.push(line));
  const canRead = accessChecker({
    inputs: inputsFromEnvironment(ApiVersion.parse("0.13"), {}),
    env: {},
    logger,
    transfers: new TransferDisplay(logger, undefined),
    signal: AbortSignal.timeout(60_000),
  });
  expect(await canRead("Not a name")).toBe(false);
  expect(lines).toEqual([expect.stringMatching(/^Not a name cannot be read: could not parse reference: Not a name: /)]);
});

it("asks for each mirror once, those in the target's registry first", async () => {
  const asked: string[] = [];
  const canRead = async (image: string) => {
    asked.push(image);
    return false;
  };
  const candidate = { image: "far.example/run", mirrors: ["near.example/run", "other.example/run"] };
  await expect(bestRunImage("near.example", candidate, canRead)).rejects.toThrow("failed to find accessible run image");
  expect(asked).toEqual(["near.example/run", "far.example/run", "other.example/run"]);
});
