import type { Env } from "@lifecycle/env";
import { parseToml } from "@lifecycle/spec-types";
import { parseText, toByteString } from "./byte-string.ts";
import type { Host } from "./host.ts";
import { step } from "./launch-error.ts";

/** The kernel takes no more than 2 MiB of environment, so a program that writes this much is broken. */
const MAX_OUTPUT_BYTES = 4 * 1024 * 1024;

/**
 * Runs an exec.d program in the launch environment and sets the variables that it writes, as TOML, to file descriptor
 * 3. Buildpack spec, "Exec.d" and "Exec.d Output".
 *
 * @throws Error if it cannot be run, fails, or writes anything but TOML strings
 */
export function runExecD(path: string, env: Env, host: Host): void {
  const output = step(`failed to execute exec.d file at path '${path}'`, () => {
    const { failure, output } = host.runExecD(path, env.list(), MAX_OUTPUT_BYTES);
    if (failure !== "") throw new Error(failure);
    return output;
  });
  step(`failed to decode output from exec.d file at path '${path}'`, () => {
    for (const [name, value] of Object.entries(parseText(output, "fd 3", parseToml))) {
      if (typeof value !== "string") throw new Error(`the value of '${name}' is no string`);
      env.set(toByteString(name), toByteString(value));
    }
  });
}
