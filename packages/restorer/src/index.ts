export { type RestoreOptions, restore } from "./restore.ts";
