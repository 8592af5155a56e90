import { posix } from "node:path";
import { type BytePath, toBytePath } from "./byte-path.ts";

/** One character of a pattern's chunk: itself, any but a slash, or one of a set. */
type Unit =
  | { readonly kind: "byte"; readonly byte: string }
  | { readonly kind: "any" }
  | {
      readonly kind: "set";
      readonly negated: boolean;
      readonly ranges: readonly (readonly [low: number, high: number])[];
    };

/** A part of a pattern without stars, and whether a star stands before it. */
interface Chunk {
  readonly star: boolean;
  /** Undefined if the part is malformed. */
  readonly units: readonly Unit[] | undefined;
}

/** Thrown when matching comes upon a malformed part of a pattern. */
export class PatternError extends Error {
  override readonly name = "PatternError";

  constructor() {
    super("syntax error in pattern");
  }
}

/**
 * A shell pattern for paths, as Go's path/filepath has it, which slices are matched with (buildpack.md, launch.toml):
 * `*` and `?` match no slash, `[a-z]` and `[^a-z]` match one character of a set, `\` takes the next character as it
 * is, and the pattern has to match the whole path. Takes time in proportion to pattern times path at most.
 */
export class Glob {
  readonly #chunks: readonly Chunk[];

  constructor(pattern: string) {
    // A cleaned path has no trailing slash, no `.` and no `a/../`.
    const cleaned = posix.normalize(pattern).replace(/(?<=.)\/+$/, "");
    this.#chunks = chunksOf(toBytePath(cleaned));
  }

  /**
   * Whether the pattern matches a relative path.
   * @throws PatternError if matching gets as far as a malformed part
   */
  matches(path: BytePath): boolean {
    let position = 0;
    for (const [index, { star, units }] of this.#chunks.entries()) {
      const isLast = index === this.#chunks.length - 1;
      if (units === undefined) throw new PatternError();
      if (star && units.length === 0) return !path.includes("/", position);
      let end = matchUnits(units, path, position);
      if (isLast && end !== path.length) end = undefined;
      for (let start = position; star && end === undefined && start < path.length && path[start] !== "/"; ) {
        start++;
        end = matchUnits(units, path, start);
        if (isLast && end !== path.length) end = undefined;
      }
      if (end === undefined) return false;
      position = end;
    }
    return position === path.length;
  }
}

/** Where the units end in the path if they match it from `start` on. */
function matchUnits(units: readonly Unit[], path: BytePath, start: number): number | undefined {
  let position = start;
  for (const unit of units) {
    if (position >= path.length) return undefined;
    if (unit.kind === "byte") {
      if (path[position] !== unit.byte) return undefined;
      position++;
      continue;
    }
    const { character, length } = characterAt(path, position);
    if (unit.kind === "any" && path[position] === "/") return undefined;
    if (unit.kind === "set") {
      const found = unit.ranges.some(([low, high]) => low <= character && character <= high);
      if (found === unit.negated) return undefined;
    }
    position += length;
  }
  return position;
}

function chunksOf(pattern: string): Chunk[] {
  const chunks: Chunk[] = [];
  for (let start = 0; start < pattern.length; ) {
    const stars = /^\**/.exec(pattern.slice(start))?.[0].length ?? 0;
    start += stars;
    const end = chunkEnd(pattern, start);
    chunks.push({ star: stars > 0, units: unitsOf(pattern.slice(start, end)) });
    start = end;
  }
  return chunks;
}

/** Where the next star is that is neither escaped nor between brackets. */
function chunkEnd(pattern: string, start: number): number {
  let inSet = false;
  for (let index = start; index < pattern.length; index++) {
    const character = pattern[index];
    if (character === "\\") index++;
    else if (character === "[") inSet = true;
    else if (character === "]") inSet = false;
    else if (character === "*" && !inSet) return index;
  }
  return pattern.length;
}

function unitsOf(chunk: string): Unit[] | undefined {
  const units: Unit[] = [];
  for (let index = 0; index < chunk.length; ) {
    const byte = chunk[index] ?? "";
    if (byte === "?") {
      units.push({ kind: "any" });
      index++;
    } else if (byte === "[") {
      const set = setAt(chunk, index + 1);
      if (set === undefined) return undefined;
      units.push(set.unit);
      index = set.end;
    } else {
      if (byte === "\\") index++;
      const literal = chunk[index];
      if (literal === undefined) return undefined;
      units.push({ kind: "byte", byte: literal });
      index++;
    }
  }
  return units;
}

/** Reads a set from behind its opening bracket; undefined if it is malformed. */
function setAt(chunk: string, start: number): { unit: Unit; end: number } | undefined {
  let index = start;
  const negated = chunk[index] === "^";
  if (negated) index++;
  const ranges: [number, number][] = [];
  while (chunk[index] !== "]" || ranges.length === 0) {
    const low = setCharacterAt(chunk, index);
    if (low === undefined) return undefined;
    index = low.end;
    let high = low;
    if (chunk[index] === "-") {
      const upper = setCharacterAt(chunk, index + 1);
      if (upper === undefined) return undefined;
      high = upper;
      index = high.end;
    }
    ranges.push([low.character, high.character]);
  }
  return { unit: { kind: "set", negated, ranges }, end: index + 1 };
}

function setCharacterAt(chunk: string, start: number): { character: number; end: number } | undefined {
  const first = chunk[start];
  if (first === undefined || first === "-" || first === "]") return undefined;
  const position = first === "\\" ? start + 1 : start;
  if (position >= chunk.length) return undefined;
  const { character, length } = characterAt(chunk, position);
  const end = position + length;
  // A set that ends here has no closing bracket.
  return end < chunk.length ? { character, end } : undefined;
}

/** A UTF-8 sequence of two to four bytes, one character per byte (RFC 3629). */
const sequence =
  /[\xc2-\xdf][\x80-\xbf]|\xe0[\xa0-\xbf][\x80-\xbf]|[\xe1-\xec\xee\xef][\x80-\xbf]{2}|\xed[\x80-\x9f][\x80-\xbf]|\xf0[\x90-\xbf][\x80-\xbf]{2}|[\xf1-\xf3][\x80-\xbf]{3}|\xf4[\x80-\x8f][\x80-\xbf]{2}/y;

/** The character at a position and its length in bytes; a byte that belongs to none counts as U+FFFD. */
function characterAt(bytes: string, position: number): { character: number; length: number } {
  const code = bytes.charCodeAt(position);
  if (code < 0x80) return { character: code, length: 1 };
  sequence.lastIndex = position;
  const found = sequence.exec(bytes)?.[0];
  if (found === undefined) return { character: 0xfffd, length: 1 };
  return { character: Buffer.from(found, "latin1").toString("utf8").codePointAt(0) ?? 0xfffd, length: found.length };
}
