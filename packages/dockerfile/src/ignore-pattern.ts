/** One step of a pattern: a character, or text of any length. */
type Step =
  | { readonly kind: "character"; matches(character: string): boolean }
  /** Text without a slash. */
  | { readonly kind: "name" }
  | { readonly kind: "text" }
  /** Nothing, or text that ends with a slash. */
  | { readonly kind: "directories" };

/**
 * A pattern of a .dockerignore or of `--exclude`: `*` and `?` match no slash, `**` matches across names, `[a-z]` and
 * `[^a-z]` one character of a set, and a backslash takes the next character as it is. Takes time in proportion to pattern
 * times path at most, whoever wrote them.
 */
export class IgnorePattern {
  readonly #steps: readonly Step[];

  /** @throws Error if a set is malformed */
  constructor(pattern: string) {
    this.#steps = stepsOf(pattern);
  }

  /** Whether it matches a path itself or a directory above it. */
  matches(path: string): boolean {
    // The steps that may come next, all at the same time.
    let next = new Set<number>();
    this.#enter(next, 0);
    for (const character of path) {
      if (character === "/" && next.has(this.#steps.length)) return true;
      next = this.#advance(next, character);
      if (next.size === 0) return false;
    }
    return next.has(this.#steps.length);
  }

  #advance(steps: ReadonlySet<number>, character: string): Set<number> {
    const next = new Set<number>();
    const within: number[] = [];
    for (const index of steps) {
      const step = this.#steps[index];
      if (step?.kind === "character") {
        if (step.matches(character)) this.#enter(next, index + 1);
      } else if (step?.kind === "directories") {
        within.push(index);
        if (character === "/") this.#enter(next, index + 1);
      } else if (step?.kind === "text" || (step?.kind === "name" && character !== "/")) this.#enter(next, index);
    }
    // Amid a directory's name nothing else can come yet, so these are not entered.
    for (const index of within) next.add(index);
    return next;
  }

  /** Adds a step, and those behind it if it can stand for nothing. */
  #enter(steps: Set<number>, first: number): void {
    for (let index = first; !steps.has(index); index++) {
      steps.add(index);
      const kind = this.#steps[index]?.kind;
      if (kind === undefined || kind === "character") return;
    }
  }
}

function stepsOf(pattern: string): Step[] {
  const steps: Step[] = [];
  const characters = Array.from(pattern);
  for (let index = 0; index < characters.length; index++) {
    const character = characters[index] ?? "";
    if (character === "*" && characters[index + 1] === "*") {
      index++;
      // `**.md` is anything that ends so.
      const isSuffix = index === 1 && /^\*\*[^/*?[\\][^*?[\\]*$/.test(pattern);
      if (characters[index + 1] === "/") index++;
      steps.push({ kind: isSuffix || index + 1 >= characters.length ? "text" : "directories" });
    } else if (character === "*") steps.push({ kind: "name" });
    else if (character === "?") steps.push({ kind: "character", matches: (other) => other !== "/" });
    else if (character === "[") {
      const set = /^\[(?:\\.|[^\]\\])(?:\\.|[^\]\\])*\]/su.exec(characters.slice(index).join(""))?.[0];
      if (set !== undefined) index += Array.from(set).length - 1;
      steps.push(set === undefined ? exactly("[") : { kind: "character", matches: memberOf(set, pattern) });
    } else steps.push(exactly(character === "\\" ? (characters[++index] ?? "\\") : character));
  }
  return steps;
}

function exactly(character: string): Step {
  return { kind: "character", matches: (other) => other === character };
}

/** @param set with its brackets */
function memberOf(set: string, pattern: string): (character: string) => boolean {
  const negated = set.startsWith("[^");
  const members = /\\?(.)(?:-\\?(.))?/gsu;
  const ranges = [...set.slice(negated ? 2 : 1, -1).matchAll(members)].map(([, low = "", high = low]) => ({
    low,
    high,
  }));
  if (ranges.some(({ low, high }) => low > high)) throw new Error(`${pattern}: ${set} ends before it begins`);
  return (character) => ranges.some(({ low, high }) => low <= character && character <= high) !== negated;
}
