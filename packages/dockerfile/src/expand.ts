import { InstructionError } from "./error.ts";

/** Gives a variable's value, or undefined if it is not set. */
export type Lookup = (name: string) => string | undefined;

/**
 * Replaces variables and takes quotes and escapes away, as a shell does with an assignment's value:
 * `$x`, `${x}`, `${x:-word}`, `${x:+word}`, `${x:?word}` and the same without colon. Nothing is replaced in single
 * quotes. Variables that are not set are empty.
 * @param escapeToken the Dockerfile's escapeToken character
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

/** Replaces variables and leaves quotes as they are, as in the body of a heredoc. */
export function expandText(text: string, lookup: Lookup, escapeToken: string): string {
  return new Expander(text, lookup, escapeToken, true).all().text;
}

const nameCharacter = /[A-Za-z0-9_]/;
const special = /[@*#?\-$!0]/;

class Expander {
  readonly #text: string;
  readonly #lookup: Lookup;
  readonly #escapeToken: string;
  /** Whether quotes are text like any other. */
  readonly #rawQuotes: boolean;
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

  /** Up to an unquoted character, which is taken too; to the end if it is empty. */
  #until(end: string): { text: string; words: string[] } {
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
        const next = this.#text[this.#position];
        if (this.#rawQuotes && next !== "$" && next !== this.#escapeToken) words.addQuoted(character);
        else if (next !== undefined) {
          this.#position++;
          words.addQuoted(next);
        }
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

  #badSubstitution(): InstructionError {
    return new InstructionError("syntax", `unsupported or malformed substitution in '${this.#text}'`);
  }

  #name(): string {
    const start = this.#position;
    if (special.test(this.#text[start] ?? "")) {
      this.#position++;
    } else {
      const isNumber = /[0-9]/.test(this.#text[start] ?? "");
      const part = isNumber ? /[0-9]/ : nameCharacter;
      while (part.test(this.#text[this.#position] ?? "")) this.#position++;
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
