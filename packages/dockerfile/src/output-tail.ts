/** How much is kept, in bytes. */
const limit = 2048;

/** The end of what a program says, for the message that says that it failed. */
export class OutputTail {
  #kept = Buffer.alloc(0);
  #isCut = false;

  add(chunk: Buffer): void {
    const all = Buffer.concat([this.#kept, chunk]);
    this.#isCut ||= all.length > limit;
    this.#kept = all.subarray(Math.max(0, all.length - limit));
  }

  /** Whole lines, without the line feed at the end. */
  text(): string {
    const text = this.#kept.toString("utf8").trimEnd();
    return this.#isCut ? text.slice(text.indexOf("\n") + 1) : text;
  }
}
