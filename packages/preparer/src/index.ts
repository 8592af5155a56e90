export { PREPARE_FLAGS } from "./flags.ts";
export type { PrepareOptions } from "./options.ts";
export { prepare } from "./prepare.ts";
export { giveDirectories, openBuildpackages, runImageNamedBy } from "./privileges.ts";
export { warnIfUnapplied } from "./unapplied.ts";
