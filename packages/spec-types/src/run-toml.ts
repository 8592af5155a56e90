import { type Reader, readToml } from "./decode.ts";
import { ifAny, record, type Writable } from "./ordered.ts";
import { formatToml } from "./toml-writer.ts";

/** A run image and where else it is found. */
export interface RunImageForExport {
  readonly image?: string;
  readonly mirrors?: readonly string[];
}

/** run.toml: the run images of a builder (platform.md, "run.toml", Platform API 0.12). */
export interface Run {
  readonly images: readonly RunImageForExport[];
}

/** Reads run.toml. @throws FormatError */
export function parseRun(text: string, file: string): Run {
  return { images: readToml(text, file).tables("images", readRunImageForExport) };
}

/** Writes run.toml. */
export function formatRun({ images }: Run): string {
  return formatToml(record({ images: images.map((image) => record(runImageFields(image))) }));
}

export function readRunImageForExport(reader: Reader): RunImageForExport {
  const image = reader.optionalString("image");
  const mirrors = ifAny(reader.strings("mirrors"));
  return { ...(image !== undefined && { image }), ...(mirrors !== undefined && { mirrors }) };
}

export function runImageFields(runImage: RunImageForExport): { readonly [key: string]: Writable } {
  return { image: runImage.image || undefined, mirrors: ifAny(runImage.mirrors) };
}
