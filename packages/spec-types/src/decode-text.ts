import { FormatError } from "./format-error.ts";
import { placeOf } from "./toml-scanner.ts";

const replacement = "\ufffd";

/**
 * The text of a file. Bytes that are not UTF-8 would else be read as what they do not say.
 *
 * @param file names it in errors
 * @throws FormatError with line and column of the first such byte
 */
export function decodeText(bytes: Uint8Array, file: string): string {
  const text = new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
  const encoder = new TextEncoder();
  let encoded = 0;
  let offset = 0;
  for (let at = text.indexOf(replacement); at >= 0; at = text.indexOf(replacement, at + 1)) {
    offset += encoder.encode(text.slice(encoded, at)).length;
    encoded = at;
    // the character may be there by itself
    if (bytes[offset] !== 0xef || bytes[offset + 1] !== 0xbf || bytes[offset + 2] !== 0xbd) {
      const byte = (bytes[offset] ?? 0).toString(16).padStart(2, "0").toUpperCase();
      throw new FormatError({ file, ...placeOf(text, at), what: `byte 0x${byte} is not valid UTF-8` });
    }
  }
  return text;
}
