import type { Env } from "@lifecycle/env";
import { parseToml } from "@lifecycle/spec-types";
import { fromByteString, toByteString } from "./byte-string.ts";
import type { ExecDResult, Host } from "./host.ts";
import { messageOf } from "./launch-error.ts";

/** The kernel takes no more than 2 MiB of environment, so a program that writes this much is broken. */
const MAX_OUTPUT_BYTES = 4 * 1024 * 1024;

/**
 * Runs an exec.d program in the launch environment and sets the variables that it writes, as TOML, to file descriptor
 * 3. Buildpack spec, "Exec.d" and "Exec.d Output".
 *
 * @throws Error if it cannot be run, fails, or writes anything but TOML strings
 */
export function runExecD(path: string, env: Env, host: Host): void {
  const { failure, output } = run(path, env, host);
  if (failure !== "") throw new Error(`failed to execute exec.d file at path '${path}': ${failure}`);
  try {
    for (const [name, value] of Object.entries(parseToml(fromByteString(output), "fd 3"))) {
      if (typeof value !== "string") throw new Error(`the value of '${name}' is no string`);
      env.set(toByteString(name), toByteString(value));
    }
  } catch (error) {
    const reason = toByteString(messageOf(error));
    throw new Error(`failed to decode output from exec.d file at path '${path}': ${reason}`);
  }
}

function run(path: string, env: Env, host: Host): ExecDResult {
  try {
    return host.runExecD(path, env.list(), MAX_OUTPUT_BYTES);
  } catch (error) {
    const reason = messageOf(error);
    throw new Error(`failed to execute exec.d file at path '${path}': fork/exec ${path}: ${reason}`);
  }
}
