import { FormatError } from "./format-error.ts";
import { parseTomlScalar } from "./toml-scalar.ts";
import type { TomlDateTime } from "./toml-value.ts";

/** Largest TOML text that is read, in UTF-16 units. */
export const MAX_TOML_LENGTH = 16 * 1024 * 1024;
/** How deep tables and arrays may nest. */
export const MAX_TOML_DEPTH = 128;

/** A step from the top of a document to a value: a key, or an index into an array. */
export type PathStep = string | number;

/** Called with each key and array element, in the order of the text. */
export type TomlVisitor = (path: readonly PathStep[], offset: number) => void;

/** TOML text made safe for the library, and the way back. */
export interface ScannedToml {
  /**
   * The text without comments, in which every key starts with `-` and every number and date is an index into
   * `scalars`. So no key is the name of something that objects inherit, and the library reads no number but small ones.
   */
  readonly text: string;
  readonly scalars: readonly (bigint | number | TomlDateTime)[];
  /** Offset in the original of an offset in `text`. */
  readonly originalOffset: (offset: number) => number;
  /** Offset of the last key that starts before an offset, both in the original. */
  readonly lastKeyBefore: (offset: number) => number;
}

/** The place of an offset as a user counts it. */
export function placeOf(text: string, offset: number): { readonly line: number; readonly column: number } {
  const before = text.slice(0, offset);
  const lineStart = before.lastIndexOf("\n") + 1;
  const lines = before.match(/\n/g);
  return { line: (lines?.length ?? 0) + 1, column: offset - lineStart + 1 };
}

/**
 * Walks through TOML 1.1 text once, in time linear in its length, and rewrites it for the library (TOML 1.0.0-rc.1).
 * What is left to the library: the structure (which tables there are, keys defined twice) and the content of strings.
 *
 * @param visit if given, is told where keys and array elements are
 * @throws FormatError
 */
export function scanToml(text: string, file: string, visit?: TomlVisitor): ScannedToml {
  return new Scanner(text, file, visit).scan();
}

class Scanner {
  readonly #text: string;
  readonly #file: string;
  readonly #visit: TomlVisitor | undefined;
  #at = 0;
  /** The original up to here is in `#pieces`. */
  #copied = 0;
  readonly #pieces: string[] = [];
  #written = 0;
  /** Where text was replaced: offsets behind the replacement, in the rewritten and in the original text. */
  readonly #rewrittenEnds: number[] = [];
  readonly #originalEnds: number[] = [];
  readonly #keys: number[] = [];
  readonly #scalars: (bigint | number | TomlDateTime)[] = [];
  /** How many elements each array of tables has so far, by its path; only kept for a visitor. */
  readonly #tableCounts = new Map<string, number>();

  constructor(text: string, file: string, visit: TomlVisitor | undefined) {
    this.#text = text;
    this.#file = file;
    this.#visit = visit;
  }

  scan(): ScannedToml {
    if (this.#text.length > MAX_TOML_LENGTH) {
      throw new FormatError({
        file: this.#file,
        line: 1,
        column: 1,
        what: `too large: ${this.#text.length} characters`,
        hint: `at most ${MAX_TOML_LENGTH} are read`,
      });
    }
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what it looks for
    const control = /[\0-\x08\x0b\x0c\x0e-\x1f\x7f]|\r(?!\n)/.exec(this.#text);
    if (control !== null) {
      const code = this.#text.charCodeAt(control.index).toString(16).padStart(4, "0");
      throw this.#error(
        `control character U+${code.toUpperCase()}`,
        control.index,
        "write it as an escape in a string",
      );
    }
    if (this.#text.startsWith("\ufeff")) {
      this.#at = 1;
      this.#replace(0, "");
    }
    this.#document();
    this.#insert("");
    return {
      text: this.#pieces.join(""),
      scalars: this.#scalars,
      originalOffset: (offset) => this.#originalOffset(offset),
      lastKeyBefore: (offset) => this.#keys.findLast((key) => key <= offset) ?? offset,
    };
  }

  #document(): void {
    let table: readonly PathStep[] = [];
    let depth = 0;
    for (;;) {
      this.#skipBlank(true);
      if (this.#at >= this.#text.length) {
        return;
      }
      if (this.#text[this.#at] === "[") {
        const isArray = this.#text[this.#at + 1] === "[";
        this.#at += isArray ? 2 : 1;
        const start = this.#at;
        const keys = this.#keyPath(0);
        this.#expect(isArray ? "]]" : "]");
        depth = keys.length + (isArray ? 1 : 0);
        if (this.#visit !== undefined) {
          table = this.#resolve(keys, isArray);
          this.#visit(table, start);
        }
      } else {
        this.#assignment(table, depth);
      }
      this.#skipBlank(false);
      if (this.#at < this.#text.length && !this.#atNewline()) {
        throw this.#error(`expected the end of the line, found ${this.#shown()}`);
      }
    }
  }

  /** `key = value`, at the top level or in an inline table. */
  #assignment(parent: readonly PathStep[], depth: number): void {
    const start = this.#at;
    const keys = this.#keyPath(depth);
    this.#expect("=");
    this.#skipBlank(false);
    let path = parent;
    if (this.#visit !== undefined) {
      path = [...parent, ...keys];
      this.#visit(path, start);
    }
    this.#value(path, depth + keys.length);
  }

  #value(path: readonly PathStep[], depth: number): void {
    if (depth > MAX_TOML_DEPTH) {
      throw this.#error("nested too deep", this.#at, `at most ${MAX_TOML_DEPTH} levels are read`);
    }
    const first = this.#text[this.#at];
    if (first === '"' || first === "'") {
      this.#string(first);
    } else if (first === "[") {
      this.#array(path, depth);
    } else if (first === "{") {
      this.#inlineTable(path, depth);
    } else {
      this.#scalar();
    }
  }

  #array(path: readonly PathStep[], depth: number): void {
    this.#at += 1;
    for (let index = 0; ; index++) {
      this.#skipBlank(true);
      if (this.#accept("]")) {
        return;
      }
      if (this.#visit === undefined) {
        this.#value(path, depth + 1);
      } else {
        const element = [...path, index];
        this.#visit(element, this.#at);
        this.#value(element, depth + 1);
      }
      this.#skipBlank(true);
      if (!this.#accept(",")) {
        this.#expect("]");
        return;
      }
    }
  }

  /** Newlines and a last comma, which TOML 1.1 allows here, are taken out. */
  #inlineTable(path: readonly PathStep[], depth: number): void {
    this.#at += 1;
    for (;;) {
      this.#removeBlank();
      if (this.#accept("}")) {
        return;
      }
      this.#assignment(path, depth);
      this.#removeBlank();
      if (this.#accept(",")) {
        const comma = this.#at - 1;
        if (this.#text[this.#blankEnd()] === "}") {
          this.#replace(comma, "");
        }
      } else {
        this.#expect("}");
        return;
      }
    }
  }

  /** A boolean, number or date. */
  #scalar(): void {
    const start = this.#at;
    this.#at = this.#tokenEnd(start);
    // A date and a time may have a space between them.
    if (
      this.#at - start === 10 &&
      this.#text[start + 4] === "-" &&
      /^ \d/.test(this.#text.slice(this.#at, this.#at + 2))
    ) {
      this.#at = this.#tokenEnd(this.#at + 1);
    }
    const token = this.#text.slice(start, this.#at);
    if (token === "true" || token === "false") {
      return;
    }
    const value = parseTomlScalar(token);
    if (typeof value === "string") {
      throw this.#error(token === "" ? `expected a value, found ${this.#shown()}` : value, start);
    }
    this.#replace(start, String(this.#scalars.length));
    this.#scalars.push(value);
  }

  #tokenEnd(from: number): number {
    let end = from;
    while (end < this.#text.length && !" \t\r\n,]}#".includes(this.#text.charAt(end))) {
      end += 1;
    }
    return end;
  }

  #string(quote: string): void {
    const triple = quote.repeat(3);
    if (!this.#text.startsWith(triple, this.#at)) {
      this.#at += 1;
      this.#stringEnd(quote);
      return;
    }
    const start = this.#at;
    this.#at += 3;
    for (;;) {
      const char = this.#text[this.#at];
      if (char === undefined) {
        throw this.#error(`string without its closing ${triple}`, start);
      }
      if (char === "\\" && quote === '"') {
        this.#escape();
      } else if (this.#text.startsWith(triple, this.#at)) {
        // Up to two quotes may stand before the closing ones.
        this.#at += 3;
        for (let extra = 0; extra < 2 && this.#text[this.#at] === quote; extra++) {
          this.#at += 1;
        }
        return;
      } else {
        this.#at += 1;
      }
    }
  }

  /** From behind the opening quote to behind the closing one, on one line. */
  #stringEnd(quote: string): void {
    const start = this.#at - 1;
    for (;;) {
      const char = this.#text[this.#at];
      if (char === undefined || char === "\n" || char === "\r") {
        throw this.#error(`string without its closing ${quote}`, start);
      }
      if (char === "\\" && quote === '"') {
        this.#escape();
      } else {
        this.#at += 1;
        if (char === quote) {
          return;
        }
      }
    }
  }

  /** The library knows the escapes of TOML 1.0; those of 1.1 are written as `\u`. */
  #escape(): void {
    const start = this.#at;
    const next = this.#text[start + 1];
    const hex = next === "x" ? /^[0-9A-Fa-f]{2}/.exec(this.#text.slice(start + 2, start + 4)) : null;
    if (next === "e") {
      this.#at += 2;
      this.#replace(start, "\\u001b");
    } else if (hex !== null) {
      this.#at += 4;
      this.#replace(start, `\\u00${hex[0]}`);
    } else {
      this.#at += 2;
    }
  }

  /** Dotted keys. */
  #keyPath(depth: number): string[] {
    const keys: string[] = [];
    do {
      this.#skipBlank(false);
      if (depth + keys.length >= MAX_TOML_DEPTH) {
        throw this.#error("nested too deep", this.#at, `at most ${MAX_TOML_DEPTH} levels are read`);
      }
      keys.push(this.#key());
      this.#skipBlank(false);
    } while (this.#accept("."));
    return keys;
  }

  #key(): string {
    const start = this.#at;
    this.#keys.push(start);
    const quote = this.#text[start];
    if (quote === '"' || quote === "'") {
      this.#at += 1;
      this.#insert("-");
      this.#stringEnd(quote);
      return this.#text.slice(start + 1, this.#at - 1);
    }
    while (/^[\w-]$/.test(this.#text.charAt(this.#at))) {
      this.#at += 1;
    }
    if (this.#at === start) {
      throw this.#error(`expected a key, found ${this.#shown()}`);
    }
    const end = this.#at;
    this.#at = start;
    this.#insert("-");
    this.#at = end;
    return this.#text.slice(start, end);
  }

  /** The path of a `[table]` or of the next element of an `[[array]]`. */
  #resolve(keys: readonly string[], isArray: boolean): PathStep[] {
    const path: PathStep[] = [];
    for (const [index, key] of keys.entries()) {
      path.push(key);
      const name = JSON.stringify(path);
      const isNewElement = isArray && index === keys.length - 1;
      const count = (this.#tableCounts.get(name) ?? 0) + (isNewElement ? 1 : 0);
      if (count > 0) {
        this.#tableCounts.set(name, count);
        path.push(count - 1);
      }
    }
    return path;
  }

  #skipBlank(newlines: boolean): void {
    for (;;) {
      const char = this.#text[this.#at];
      if (char === " " || char === "\t" || (newlines && this.#atNewline())) {
        this.#at += 1;
      } else if (char === "#") {
        // The library refuses a carriage return in a comment, so comments go.
        const start = this.#at;
        const end = this.#text.indexOf("\n", start);
        this.#at = end < 0 ? this.#text.length : end;
        this.#replace(start, "");
      } else {
        return;
      }
    }
  }

  #removeBlank(): void {
    const start = this.#at;
    this.#at = this.#blankEnd();
    if (this.#at > start) {
      this.#replace(start, "");
    }
  }

  /** Behind spaces, newlines and comments. */
  #blankEnd(): number {
    let end = this.#at;
    for (;;) {
      const char = this.#text[end];
      if (char === " " || char === "\t" || char === "\n" || char === "\r") {
        end += 1;
      } else if (char === "#") {
        const newline = this.#text.indexOf("\n", end);
        end = newline < 0 ? this.#text.length : newline;
      } else {
        return end;
      }
    }
  }

  #atNewline(): boolean {
    const char = this.#text[this.#at];
    return char === "\n" || char === "\r";
  }

  #accept(char: string): boolean {
    if (this.#text[this.#at] !== char) {
      return false;
    }
    this.#at += 1;
    return true;
  }

  #expect(expected: string): void {
    if (!this.#text.startsWith(expected, this.#at)) {
      throw this.#error(`expected '${expected}', found ${this.#shown()}`);
    }
    this.#at += expected.length;
  }

  #insert(text: string): void {
    this.#replace(this.#at, text);
  }

  /** Writes `text` in place of the original from `start` to here. */
  #replace(start: number, text: string): void {
    this.#pieces.push(this.#text.slice(this.#copied, start), text);
    this.#written += start - this.#copied + text.length;
    this.#copied = this.#at;
    this.#rewrittenEnds.push(this.#written);
    this.#originalEnds.push(this.#at);
  }

  #originalOffset(offset: number): number {
    const index = this.#rewrittenEnds.findLastIndex((end) => end <= offset);
    const shift = (this.#originalEnds[index] ?? 0) - (this.#rewrittenEnds[index] ?? 0);
    return Math.min(offset + shift, this.#text.length);
  }

  #shown(): string {
    const char = this.#text.codePointAt(this.#at);
    if (char === undefined) {
      return "the end of the file";
    }
    return this.#atNewline() ? "the end of the line" : `'${String.fromCodePoint(char)}'`;
  }

  #error(what: string, offset = this.#at, hint?: string): FormatError {
    return new FormatError({ file: this.#file, ...placeOf(this.#text, offset), what, ...(hint && { hint }) });
  }
}
