import { InstructionError } from "./error.ts";

/** Values of an instruction's flags by name, in their order. */
export type Flags = ReadonlyMap<string, readonly string[]>;

/** Flags that are true or false, and may stand without a value. */
const switches = new Set(["link", "parents", "unpack", "keep-git-dir"]);

/** Flags that can be given several times. */
const repeatable = new Set(["mount", "exclude"]);

/**
 * Takes the flags off the beginning of an instruction's arguments. Quotes and escapes in them are taken away; variables
 * stay, to be expanded when the instruction runs.
 * @throws InstructionError `syntax` for a flag that the instruction does not have, one that is given twice, and one
 *   without its value
 */
export function takeFlags(
  kind: string,
  text: string,
  known: readonly string[],
  escapeToken: string,
): { flags: Flags; rest: string } {
  const flags = new Map<string, string[]>();
  let rest = text;
  while (rest.startsWith("--")) {
    const { word, length } = firstWord(rest, escapeToken);
    rest = rest.slice(length).trimStart();
    if (word === "--") break;
    const [, name = "", value] = /^--([^=]*)(?:=(.*))?$/s.exec(word) ?? [];
    if (!known.includes(name)) throw new InstructionError("syntax", `${kind} has no flag --${name}`);
    const before = flags.get(name) ?? [];
    if (before.length > 0 && !repeatable.has(name)) {
      throw new InstructionError("syntax", `duplicate flag specified: --${name}`);
    }
    flags.set(name, [...before, switches.has(name) ? switchValue(name, value) : givenValue(name, value)]);
  }
  return { flags, rest };
}

/** Whether a flag is given, and not as false. */
export function isOn(flags: Flags, name: string): boolean {
  return flags.get(name)?.at(-1) === "true";
}

function givenValue(name: string, value: string | undefined): string {
  if (value === undefined) throw new InstructionError("syntax", `missing a value on flag: --${name}`);
  return value;
}

function switchValue(name: string, value = "true"): string {
  const known = value.toLowerCase();
  if (known === "true" || known === "false") return known;
  throw new InstructionError("syntax", `expecting boolean value for flag --${name}, not: ${value}`);
}

/** The first word, without its quotes and escapes, and its length with them. */
function firstWord(text: string, escapeToken: string): { word: string; length: number } {
  let word = "";
  let quote = "";
  let index = 0;
  for (; index < text.length; index++) {
    const character = text[index] ?? "";
    if (quote === "" && /\s/.test(character)) break;
    if (character === quote) quote = "";
    else if (character === escapeToken) word += text[++index] ?? "";
    else if (quote === "" && (character === "'" || character === '"')) quote = character;
    else word += character;
  }
  return { word, length: index };
}
