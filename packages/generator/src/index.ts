export { detectorFlags } from "./detector-flags.ts";
export { type Generated, type GenerateOptions, generate } from "./generate.ts";
