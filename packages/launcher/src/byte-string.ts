import { messageOf, step } from "./launch-error.ts";

/** Text as a string of its UTF-8 bytes, one per character: the form in which the host takes and gives strings. */
export function toByteString(text: string): string {
  if (!/[^\0-\x7f]/.test(text)) return text;
  let bytes = "";
  for (const character of text) {
    const point = character.codePointAt(0) ?? 0;
    if (point < 0x80) bytes += character;
    else if (point < 0x800) bytes += String.fromCharCode(0xc0 | (point >> 6), continuation(point));
    else if (point < 0x10000) {
      bytes += String.fromCharCode(0xe0 | (point >> 12), continuation(point >> 6), continuation(point));
    } else {
      const lead = 0xf0 | (point >> 18);
      bytes += String.fromCharCode(lead, continuation(point >> 12), continuation(point >> 6), continuation(point));
    }
  }
  return bytes;
}

/**
 * Text of which `bytes` are the UTF-8 bytes.
 *
 * @throws Error if they are not valid UTF-8
 */
export function fromByteString(bytes: string): string {
  if (!/[^\0-\x7f]/.test(bytes)) return bytes;
  let text = "";
  for (let at = 0; at < bytes.length; ) {
    const lead = bytes.charCodeAt(at);
    const length = lead < 0x80 ? 1 : lead < 0xc2 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf5 ? 4 : 0;
    let point = length === 1 ? lead : lead & (0x7f >> length);
    for (let next = at + 1; next < at + length; next++) {
      const byte = bytes.charCodeAt(next);
      if (byte >> 6 !== 2) throw new Error(`byte ${next} is not valid UTF-8`);
      point = (point << 6) | (byte & 0x3f);
    }
    const overlong = (length === 3 && point < 0x800) || (length === 4 && (point < 0x10000 || point > 0x10ffff));
    const surrogate = point >= 0xd800 && point <= 0xdfff;
    if (length === 0 || overlong || surrogate) throw new Error(`byte ${at} is not valid UTF-8`);
    text += String.fromCodePoint(point);
    at += length;
  }
  return text;
}

/** Stands in for a name that may be no text. */
const NAME = "\0";

/**
 * Hands bytes to a parser that knows only text. What it throws becomes a byte string again.
 *
 * @param name what the bytes are, in errors
 * @throws Error if the bytes are not valid UTF-8, or if `parse` throws
 */
export function parseText<T>(bytes: string, name: string, parse: (text: string, name: string) => T): T {
  const text = step(name, () => fromByteString(bytes));
  try {
    return parse(text, NAME);
  } catch (error) {
    throw new Error(toByteString(messageOf(error)).replace(NAME, () => name));
  }
}

function continuation(bits: number): number {
  return 0x80 | (bits & 0x3f);
}
