/** A piece of a pattern: a character, `?` for any one, or `*` for any text. */
type Unit = { readonly kind: "character"; readonly character: string } | { readonly kind: "one" | "many" };

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
    const end = endOf(this.#units, characters, 0, length);
    return characters.slice(end ?? 0).join("");
  }

  /** The text without what matches at its end. */
  withoutSuffix(text: string, length: MatchLength): string {
    const characters = Array.from(text).reverse();
    const end = endOf([...this.#units].reverse(), characters, 0, length);
    return characters
      .slice(end ?? 0)
      .reverse()
      .join("");
  }

  /** The text with the first longest match, or all of them, replaced. */
  replace(text: string, replacement: string, which: "first" | "all"): string {
    const characters = Array.from(text);
    let result = "";
    let position = 0;
    let afterMatch = false;
    while (position <= characters.length) {
      const end = endOf(this.#units, characters, position, "longest");
      // An empty match right behind another one is none of its own.
      if (end !== undefined && !(afterMatch && end === position)) {
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

/** Where a match that begins at a position ends; undefined if there is none. */
function endOf(
  units: readonly Unit[],
  characters: readonly string[],
  start: number,
  length: MatchLength,
): number | undefined {
  let ends = new Set([start]);
  for (const unit of units) {
    const next = new Set<number>();
    if (unit.kind === "many") {
      for (let end = Math.min(...ends); end <= characters.length; end++) next.add(end);
    } else {
      for (const end of ends) {
        const character = characters[end];
        if (character === undefined) continue;
        if (unit.kind === "one" || (unit.kind === "character" && character === unit.character)) next.add(end + 1);
      }
    }
    if (next.size === 0) return undefined;
    ends = next;
  }
  const all = [...ends];
  const pick = (choose: (a: number, b: number) => number) => all.reduce((a, b) => choose(a, b));
  return pick(length === "shortest" ? Math.min : Math.max);
}
