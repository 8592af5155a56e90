/** The phases by the name of their executable; as a subcommand each has the name of what it does. */
const SUBCOMMANDS = {
  detector: "detect",
  analyzer: "analyze",
  restorer: "restore",
  builder: "build",
  exporter: "export",
  rebaser: "rebase",
  creator: "create",
  extender: "extend",
  generator: "generate",
  preparer: "prepare",
} as const;

/** The executables that this file is, under as many names. */
export type ExecutableName = keyof typeof SUBCOMMANDS;

export const EXECUTABLE_NAMES = Object.keys(SUBCOMMANDS) as ExecutableName[];

/** How the extender starts itself anew to become the program of a RUN; for nobody else. */
const EXEC_IN_ROOT = "exec-in-root";

/** How creator starts the process that keeps root, to extend images; for nobody else. */
const EXTEND_FOR_CREATOR = "extend-for-creator";

/**
 * What a command line asks for: an executable and its arguments, to become the program that a file describes, to extend
 * images for creator, the version, or nothing that is known.
 */
export type Invocation =
  | { readonly kind: "run"; readonly executable: ExecutableName; readonly argv: readonly string[] }
  | { readonly kind: "exec in root"; readonly request: string }
  | { readonly kind: "extend for creator" }
  | { readonly kind: "version" }
  | { readonly kind: "no arguments" }
  | { readonly kind: "unknown phase"; readonly phase: string };

/**
 * Decides what to run, as the reference does: by the base name the program was started by, without an extension; under
 * any other name (`lifecycle`) by its first argument.
 *
 * @param startedAs the path or name the program was started by
 * @param argv the arguments after it
 */
export function dispatch(startedAs: string, argv: readonly string[]): Invocation {
  const name = baseName(startedAs).replace(/\.[^.]*$/, "");
  const executable = EXECUTABLE_NAMES.find((candidate) => candidate === name);
  if (executable !== undefined) {
    return { kind: "run", executable, argv };
  }
  const [first, ...rest] = argv;
  if (first === undefined) {
    return { kind: "no arguments" };
  }
  if (first === "-version") {
    return { kind: "version" };
  }
  if (first === EXEC_IN_ROOT) {
    return { kind: "exec in root", request: rest[0] ?? "" };
  }
  if (first === EXTEND_FOR_CREATOR) {
    return { kind: "extend for creator" };
  }
  const phase = baseName(first);
  const asSubcommand = EXECUTABLE_NAMES.find((candidate) => SUBCOMMANDS[candidate] === phase);
  return asSubcommand === undefined
    ? { kind: "unknown phase", phase }
    : { kind: "run", executable: asSubcommand, argv: rest };
}

/** The subcommands, for a message. */
export function subcommandNames(): string {
  return Object.values(SUBCOMMANDS).join(", ");
}

function baseName(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}
