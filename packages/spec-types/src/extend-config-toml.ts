import { type Reader, readToml } from "./decode.ts";

/** A build argument that an extension gives its Dockerfile. */
export interface ExtendArg {
  readonly name: string;
  readonly value: string;
}

/** extend-config.toml: build arguments by the image that is extended (image_extension.md, "extend-config.toml"). */
export interface ExtendConfig {
  readonly build: { readonly args: readonly ExtendArg[] };
  readonly run: { readonly args: readonly ExtendArg[] };
}

/** Reads extend-config.toml. @throws FormatError */
export function parseExtendConfig(text: string, file: string): ExtendConfig {
  const reader = readToml(text, file);
  return { build: readArgs(reader.table("build")), run: readArgs(reader.table("run")) };
}

function readArgs(reader: Reader): { readonly args: readonly ExtendArg[] } {
  return { args: reader.tables("args", (arg) => ({ name: arg.string("name"), value: arg.string("value") })) };
}
