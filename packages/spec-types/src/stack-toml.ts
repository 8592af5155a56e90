import { type Reader, readToml } from "./decode.ts";
import { record } from "./ordered.ts";
import { type RunImageForExport, readRunImageForExport, runImageFields } from "./run-toml.ts";
import { formatToml } from "./toml-writer.ts";

/** stack.toml: the run image of a builder (platform.md, "stack.toml", before Platform API 0.12). */
export interface Stack {
  readonly runImage: RunImageForExport;
}

/** Reads stack.toml. @throws FormatError */
export function parseStack(text: string, file: string): Stack {
  return readStack(readToml(text, file), "run-image");
}

/** Writes stack.toml. */
export function formatStack({ runImage }: Stack): string {
  return formatToml(record({ "run-image": record(runImageFields(runImage)) }));
}

/** @param runImageKey files and labels spell it differently */
export function readStack(reader: Reader, runImageKey: string): Stack {
  return { runImage: readRunImageForExport(reader.table(runImageKey)) };
}
