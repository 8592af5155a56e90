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

/** What the lifecycle itself gives to every Dockerfile. */
const reservedArgs = new Set(["build_id", "user_id", "group_id"]);

/**
 * Makes sure that an extension sets no argument that is the lifecycle's. Whoever reads extend-config.toml has to: it lies
 * where others can write to.
 *
 * @throws Error
 */
export function refuseReservedArgs({ build, run }: ExtendConfig, file: string): void {
  const reserved = [...build.args, ...run.args].find(({ name }) => reservedArgs.has(name));
  if (reserved === undefined) return;
  const name = JSON.stringify(reserved.name);
  throw new Error(`validating extend config: invalid content: arg with name ${name} is not allowed (${file})`);
}

function readArgs(reader: Reader): { readonly args: readonly ExtendArg[] } {
  return { args: reader.tables("args", (arg) => ({ name: arg.string("name"), value: arg.string("value") })) };
}
