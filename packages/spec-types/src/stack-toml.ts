import { type Reader, readToml } from "./decode.ts";
import { type RunImageForExport, readRunImageForExport } from "./run-toml.ts";

/** stack.toml: the run image of a builder (platform.md, "stack.toml", before Platform API 0.12). */
export interface Stack {
  readonly runImage: RunImageForExport;
}

/** Reads stack.toml. @throws FormatError */
export function parseStack(text: string, file: string): Stack {
  return readStack(readToml(text, file), "run-image");
}

/** @param runImageKey files and labels spell it differently */
export function readStack(reader: Reader, runImageKey: string): Stack {
  return { runImage: readRunImageForExport(reader.table(runImageKey)) };
}
