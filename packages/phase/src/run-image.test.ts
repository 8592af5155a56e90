import { once } from "node:events";
import { type AddressInfo, createServer, type Server } from "node:net";
import { ApiVersion } from "@lifecycle/spec-types";
import { afterEach, beforeEach, expect, it } from "vitest";
import { inputsFromEnvironment } from "./inputs.ts";
import { ConsoleLogger } from "./logger.ts";
import { accessChecker } from "./run-image.ts";
import type { PhaseContext } from "./run-phase.ts";
import { TransferDisplay } from "./transfer-display.ts";

let silent: Server;
let stop: AbortController;
let context: PhaseContext;
let image: string;

beforeEach(async () => {
  silent = createServer().listen(0, "127.0.0.1");
  await once(silent, "listening");
  image = `127.0.0.1:${(silent.address() as AddressInfo).port}/run`;
  stop = new AbortController();
  const logger = new ConsoleLogger({ level: "error", color: false }, () => {});
  context = {
    inputs: inputsFromEnvironment(ApiVersion.parse("0.13"), {}),
    env: {},
    logger,
    transfers: new TransferDisplay(logger, undefined),
    signal: stop.signal,
    verifyBuildpackApi: () => {},
    guardExperimental: () => {},
  };
});
afterEach(() => {
  silent.close();
});

it("does not wait long for the registry of a run image, as there may be a mirror", async () => {
  expect(await accessChecker(context, 300)(image)).toBe(false);
});

it("ends with the process", async () => {
  const check = accessChecker(context, 60_000)(image);
  stop.abort(new Error("told to stop"));
  await expect(check).rejects.toThrow("told to stop");
});
