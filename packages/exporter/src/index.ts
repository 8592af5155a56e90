export { type ExtendedRunImage, readExtended } from "./extended-run-image.ts";
export { runExport } from "./run-export.ts";
