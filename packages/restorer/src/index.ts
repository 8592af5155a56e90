export { type RestoreOptions, restore } from "./restore.ts";
export { updateRunImage } from "./run-image.ts";
