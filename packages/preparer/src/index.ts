export { PREPARE_FLAGS } from "./flags.ts";
export { type PrepareOptions, prepare } from "./prepare.ts";
export { giveDirectories, openBuildpackages, runImageNamedBy } from "./privileges.ts";
export { warnIfUnapplied } from "./unapplied.ts";
