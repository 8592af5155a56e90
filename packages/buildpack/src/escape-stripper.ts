const ESC = 0x1b;
const BRACKET = "[".charCodeAt(0);

/**
 * Removes ANSI escape sequences from a stream of bytes: what `-no-color` does to the output of buildpacks. A sequence
 * may be spread over chunks.
 */
export class EscapeStripper {
  #state: "text" | "escape" | "sequence" = "text";

  strip(chunk: Buffer): Buffer {
    if (this.#state === "text" && !chunk.includes(ESC)) return chunk;
    const kept = Buffer.alloc(chunk.length);
    let length = 0;
    for (const byte of chunk) {
      if (this.#state === "text") {
        if (byte === ESC) this.#state = "escape";
        else kept[length++] = byte;
      } else if (this.#state === "escape") {
        this.#state = byte === BRACKET ? "sequence" : "text";
      } else if (endsSequence(byte)) {
        this.#state = "text";
      }
    }
    return kept.subarray(0, length);
  }
}

/** Letters and `@` end a control sequence. */
function endsSequence(byte: number): boolean {
  return (byte >= 0x40 && byte <= 0x5a) || (byte >= 0x61 && byte <= 0x7a);
}
