import { InstructionError } from "./error.ts";
import { Pattern } from "./pattern.ts";

/** Gives a variable's value, or undefined if it is not set. */
export type Lookup = (name: string) => string | undefined;

/**
 * Replaces variables and takes quotes and escapes away, as a shell does with an assignment's value:
 * `$x`, `${x}`, `${x:-word}`, `${x:+word}`, `${x:?word}` and the same without colon; `${x#pattern}`, `${x##pattern}`,
 * `${x%pattern}`, `${x%%pattern}`, `${x/pattern/text}` and `${x//pattern/text}`. Nothing is replaced in single quotes.
 * Variables that are not set are empty.
 * @param escapeToken the Dockerfile's escape character
 * @throws InstructionError `syntax` for a quote or brace without its end and for an unknown modifier; `failed` for
 *   `${x:?word}` if x is not set
 */
export function expandWord(word: string, lookup: Lookup, escapeToken: string): string {
  return new Expander(word, lookup, escapeToken, false).all().text;
}

/** The same, but unquoted spaces in the text and in what variables hold divide the result into words. */
export function expandWords(text: string, lookup: Lookup, escapeToken: string): string[] {
  return new Expander(text, lookup, escapeToken, false).all().words;
}

/**
 * Replaces variables and leaves quotes as they are, as in the body of a heredoc. A backslash takes the next character as
 * it is, whatever the Dockerfile's own escape character.
 */
export function expandText(text: string, lookup: Lookup): string {
  return new Expander(text, lookup, "\\", true).all().text;
}

const nameCharacter = /[\p{L}\p{Nd}_]/u;
const digit = /\p{Nd}/u;
const special = /[@*#?\-$!]/;

class Expander {
  readonly #text: string;
  readonly #lookup: Lookup;
  readonly #escapeToken: string;
  /** Whether quotes are text like any other. */
  readonly #rawQuotes: boolean;
  #keepsEscapes = false;
  #position = 0;

  constructor(text: string, lookup: Lookup, escapeToken: string, rawQuotes: boolean) {
    this.#text = text;
    this.#lookup = lookup;
    this.#escapeToken = escapeToken;
    this.#rawQuotes = rawQuotes;
  }

  all(): { text: string; words: string[] } {
    return this.#until("");
  }

  /**
   * Up to an unquoted character, which is taken too; to the end if it is empty.
   * @param keepsEscapes whether escape characters stay, as patterns want them
   */
  #until(end: string, keepsEscapes = false): { text: string; words: string[] } {
    const outer = this.#keepsEscapes;
    this.#keepsEscapes = keepsEscapes;
    try {
      return this.#readUntil(end);
    } finally {
      this.#keepsEscapes = outer;
    }
  }

  #readUntil(end: string): { text: string; words: string[] } {
    const words = new WordCollector();
    for (;;) {
      const character = this.#text[this.#position];
      if (character === undefined) {
        if (end === "") return words.finish();
        throw new InstructionError("syntax", `'${this.#text}' lacks its '${end}'`);
      }
      this.#position++;
      if (character === end) return words.finish();
      if (character === "'" && !this.#rawQuotes) words.addQuoted(this.#singleQuoted());
      else if (character === '"' && !this.#rawQuotes) words.addQuoted(this.#doubleQuoted());
      else if (character === "$") words.addDivisible(this.#variable());
      else if (character === this.#escapeToken) {
        if (this.#keepsEscapes) words.addQuoted(character);
        words.addQuoted(this.#text[this.#position++] ?? "");
      } else words.addDivisible(character);
    }
  }

  #singleQuoted(): string {
    const end = this.#text.indexOf("'", this.#position);
    if (end < 0) throw this.#openQuote();
    const quoted = this.#text.slice(this.#position, end);
    this.#position = end + 1;
    return quoted;
  }

  #doubleQuoted(): string {
    let quoted = "";
    for (;;) {
      const character = this.#text[this.#position++];
      if (character === undefined) throw this.#openQuote();
      if (character === '"') return quoted;
      if (character === "$") quoted += this.#variable();
      else if (character === this.#escapeToken) {
        if (this.#keepsEscapes) quoted += character;
        const next = this.#text[this.#position++];
        if (next === undefined) throw this.#openQuote();
        // Before any other character it is itself.
        quoted += next === '"' || next === "$" || next === this.#escapeToken ? next : character + next;
      } else quoted += character;
    }
  }

  #openQuote(): InstructionError {
    return new InstructionError(
      "syntax",
      `unexpected end of statement while looking for matching quote: ${this.#text}`,
    );
  }

  /** What stands behind a dollar sign. */
  #variable(): string {
    if (this.#text[this.#position] !== "{") {
      const name = this.#name();
      return name === "" ? "$" : (this.#lookup(name) ?? "");
    }
    this.#position++;
    const name = this.#name();
    if (name === "") throw this.#badSubstitution();
    const value = this.#lookup(name);
    const first = this.#text[this.#position++];
    if (first === "}") return value ?? "";
    if (first === "#" || first === "%") return this.#trimmed(value ?? "", first);
    if (first === "/") return this.#replaced(value ?? "");
    const colon = first === ":";
    const modifier = colon ? this.#text[this.#position++] : first;
    if (modifier !== "-" && modifier !== "+" && modifier !== "?") throw this.#badSubstitution();
    const word = this.#until("}").text;
    const isSet = value !== undefined && !(colon && value === "");
    if (modifier === "+") return isSet ? word : "";
    if (isSet) return value;
    if (modifier === "-") return word;
    throw new InstructionError("failed", `${name}: ${word === "" ? "is not allowed to be unset" : word}`);
  }

  /** What `${x#pattern}` or `${x%pattern}` stands for; the modifier twice takes as much away as it can. */
  #trimmed(value: string, modifier: "#" | "%"): string {
    const text = this.#until("}", true).text;
    const [pattern, length] = text.startsWith(modifier)
      ? ([this.#pattern(text.slice(1)), "longest"] as const)
      : ([this.#pattern(text), "shortest"] as const);
    return modifier === "#" ? pattern.withoutPrefix(value, length) : pattern.withoutSuffix(value, length);
  }

  /** What `${x/pattern/text}`, or with two slashes at first, stands for. */
  #replaced(value: string): string {
    const which = this.#text[this.#position] === "/" ? "all" : "first";
    if (which === "all") this.#position++;
    const pattern = this.#pattern(this.#until("/", true).text);
    return pattern.replace(value, this.#until("}", true).text, which);
  }

  #pattern(text: string): Pattern {
    const pattern = Pattern.parse(text);
    if (pattern !== undefined) return pattern;
    throw new InstructionError("syntax", `invalid pattern '${text}' in substitution in '${this.#text}'`);
  }

  #badSubstitution(): InstructionError {
    return new InstructionError("syntax", `unsupported or malformed substitution in '${this.#text}'`);
  }

  /** The character at a position, surrogate pairs as one; empty behind the end. */
  #characterAt(position: number): string {
    const code = this.#text.codePointAt(position);
    return code === undefined ? "" : String.fromCodePoint(code);
  }

  #name(): string {
    const start = this.#position;
    if (special.test(this.#text[start] ?? "")) {
      this.#position++;
    } else {
      const part = digit.test(this.#characterAt(start)) ? digit : nameCharacter;
      for (let next = this.#characterAt(start); part.test(next); next = this.#characterAt(this.#position)) {
        this.#position += next.length;
      }
    }
    return this.#text.slice(start, this.#position);
  }
}

/** Collects a text and the words that its unquoted spaces divide it into. */
class WordCollector {
  readonly #words: string[] = [];
  #word = "";
  #inWord = false;
  #text = "";

  addQuoted(text: string): void {
    this.#text += text;
    this.#word += text;
    this.#inWord = true;
  }

  addDivisible(text: string): void {
    this.#text += text;
    for (const character of text) {
      if (/\s/.test(character)) this.#endWord();
      else {
        this.#word += character;
        this.#inWord = true;
      }
    }
  }

  finish(): { text: string; words: string[] } {
    this.#endWord();
    return { text: this.#text, words: this.#words };
  }

  #endWord(): void {
    if (this.#inWord) this.#words.push(this.#word);
    this.#word = "";
    this.#inWord = false;
  }
}
