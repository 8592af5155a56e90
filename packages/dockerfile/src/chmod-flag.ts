import { InstructionError } from "./error.ts";

/** What `--chmod` makes of permissions. */
export interface ModeChange {
  /** As written. */
  readonly text: string;
  /** What directories get that have to be made above what is copied; undefined if it depends on what was there. */
  readonly forParents: number | undefined;
  /** @param mode permission, setuid, setgid and sticky bits */
  apply(mode: number, isDirectory: boolean): number;
}

/** For whom, then what: permissions, or those of another class. */
const clause = /^([ugoa]*)((?:[-+=](?:[ugo]|[rwxXst]*))+)$/;

/**
 * Reads the value of `--chmod`: octal up to 7777, or symbolic as for chmod(1) with a umask of 0 (`u=rwX,go=rX`).
 * @throws InstructionError `syntax`
 */
export function parseChmod(text: string): ModeChange {
  if (/^0*[0-7]{1,4}$/.test(text)) {
    const mode = Number.parseInt(text, 8);
    return { text, forParents: mode & 0o777, apply: () => mode };
  }
  const steps: Step[] = [];
  for (const part of text.split(",")) {
    const [, who = "", changes] = clause.exec(part) ?? [];
    if (changes === undefined) {
      throw new InstructionError("syntax", `--chmod=${text} is neither octal up to 7777 nor symbolic as u=rwX,go=rX`);
    }
    for (const [operator, letters] of operations(changes)) steps.push({ who, operator, letters });
  }
  return {
    text,
    forParents: undefined,
    apply: (mode, isDirectory) => {
      const executable = isDirectory || (mode & 0o111) !== 0;
      return steps.reduce((current, step) => applied(step, current, executable), mode);
    },
  };
}

/** One of the changes of a symbolic mode: for whom, `+`, `-` or `=`, and what. */
interface Step {
  readonly who: string;
  readonly operator: string;
  readonly letters: string;
}

function operations(changes: string): [operator: string, letters: string][] {
  return [...changes.matchAll(/([-+=])([rwxXstugo]*)/g)].map(([, operator = "", letters = ""]) => [operator, letters]);
}

const classes = [
  { letter: "u", shift: 6, setId: 0o4000 },
  { letter: "g", shift: 3, setId: 0o2000 },
  { letter: "o", shift: 0, setId: 0 },
] as const;
const permissions: Readonly<Record<string, number>> = { r: 4, w: 2, x: 1 };
const sticky = 0o1000;

/** @param executable whether `X` means `x` */
function applied({ who, operator, letters }: Step, mode: number, executable: boolean): number {
  const isFor = (letter: string) => who === "" || who.includes("a") || who.includes(letter);
  let mask = 0;
  let bits = 0;
  for (const { letter, shift, setId } of classes) {
    if (!isFor(letter)) continue;
    mask |= (7 << shift) | setId;
    for (const given of letters) {
      const copied = classes.find((other) => other.letter === given);
      if (copied !== undefined) bits |= ((mode >> copied.shift) & 7) << shift;
      else if (given === "s") bits |= setId;
      else if (given === "X") bits |= executable || operator === "-" ? 1 << shift : 0;
      else bits |= (permissions[given] ?? 0) << shift;
    }
  }
  if (letters.includes("t") && (isFor("u") || isFor("g"))) {
    mask |= sticky;
    bits |= sticky;
  }
  if (operator === "+") return mode | bits;
  if (operator === "-") return mode & ~bits;
  // What is copied from another class leaves setuid and setgid alone.
  const cleared = /[ugo]/.test(letters) ? mask & 0o777 : mask;
  return (mode & ~cleared) | bits;
}
