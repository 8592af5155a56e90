import type { Reader } from "./decode.ts";

/**
 * The architecture's variant in the target of a module or a base image: `variant` in the specs (buildpack.md, "Targets";
 * platform.md, "analyzed.toml"), `arch-variant` in what the reference lifecycle reads and writes.
 */
export function readArchVariant(reader: Reader): string | undefined {
  return reader.optionalString("variant") ?? reader.optionalString("arch-variant");
}
