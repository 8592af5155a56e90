/** A piece of a pattern: a character, `?` for any one, or `*` for any text. */
type Unit =
  | { readonly kind: "character"; readonly character: string }
  | { readonly kind: "one" }
  | { readonly kind: "many" };

/** Which of the matches is meant. */
export type MatchLength = "shortest" | "longest";

/**
 * A pattern of `${x#pattern}`, `${x%pattern}` and `${x/pattern/text}`: `*` stands for any text, `?` for any character,
 * and a backslash before one of them, before another backslash, `/` or `}` makes it an ordinary character. There are no
 * sets in brackets. A match is found or not in time that grows with pattern times text, never faster.
 */
export class Pattern {
  readonly #units: readonly Unit[];

  private constructor(units: readonly Unit[]) {
    this.#units = units;
  }

  /** Reads a pattern; undefined for a backslash before any other character, or at the end. */
  static parse(text: string): Pattern | undefined {
    const units: Unit[] = [];
    const characters = Array.from(text);
    for (let index = 0; index < characters.length; index++) {
      let character = characters[index] ?? "";
      if (character === "*") units.push({ kind: "many" });
      else if (character === "?") units.push({ kind: "one" });
      else {
        if (character === "\\") {
          character = characters[++index] ?? "";
          if (!["*", "?", "\\", "/", "}"].includes(character)) return undefined;
        }
        units.push({ kind: "character", character });
      }
    }
    return new Pattern(units);
  }

  /** The text without what matches at its beginning. */
  withoutPrefix(text: string, length: MatchLength): string {
    const characters = Array.from(text);
    return withoutBeginning(this.#units, characters, length).join("");
  }

  /** The text without what matches at its end. */
  withoutSuffix(text: string, length: MatchLength): string {
    const characters = Array.from(text).reverse();
    return withoutBeginning([...this.#units].reverse(), characters, length)
      .reverse()
      .join("");
  }

  /** The text with the first longest match, or all of them, replaced. */
  replace(text: string, replacement: string, which: "first" | "all"): string {
    const characters = Array.from(text);
    const ends = endsOf(this.#units, characters, "longest");
    let result = "";
    let position = 0;
    let afterMatch = false;
    while (position <= characters.length) {
      const end = ends[position] ?? none;
      // An empty match right behind another one is none of its own.
      if (end !== none && !(afterMatch && end === position)) {
        result += replacement;
        if (which === "first") return result + characters.slice(end).join("");
        afterMatch = end > position;
        if (afterMatch) {
          position = end;
          continue;
        }
      }
      afterMatch = false;
      result += characters[position++] ?? "";
    }
    return result;
  }
}

function withoutBeginning(units: readonly Unit[], characters: string[], length: MatchLength): string[] {
  return characters.slice(Math.max(endsOf(units, characters, length)[0] ?? none, 0));
}

const none = -1;

/** Where a match ends for each position that it can begin at; `none` where there is no match. */
function endsOf(units: readonly Unit[], characters: readonly string[], length: MatchLength): Int32Array {
  const count = characters.length;
  let ends = Int32Array.from({ length: count + 1 }, (_, position) => position);
  for (const unit of [...units].reverse()) {
    // Of what is left of the pattern with this unit before it, from the last position to the first.
    const longer = new Int32Array(count + 1).fill(none);
    for (let position = count; position >= 0; position--) {
      const here = ends[position] ?? none;
      const next = unit.kind === "many" ? longer[position + 1] : ends[position + 1];
      if (unit.kind === "many") longer[position] = preferred(here, next ?? none, length);
      else if (unit.kind === "one" || unit.character === characters[position]) longer[position] = next ?? none;
    }
    ends = longer;
  }
  return ends;
}

function preferred(a: number, b: number, length: MatchLength): number {
  if (a === none || b === none) return Math.max(a, b);
  return length === "shortest" ? Math.min(a, b) : Math.max(a, b);
}
