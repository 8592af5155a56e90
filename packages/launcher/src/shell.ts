/** What a shell is to do before it becomes the process. */
export interface ShellStart {
  /** Absolute paths of scripts to source in the application directory, in order. */
  readonly profiles: readonly string[];
  /** Where to go after that. */
  readonly workingDirectory: string;
  /** The command is a script if there are no arguments; else command and arguments are words that the shell expands. */
  readonly command: string;
  readonly args: readonly string[];
}

/** Shells by preference. Profile scripts are written for Bash (buildpack spec); in an image without it, sh must do. */
const SHELLS = [
  { path: "/bin/bash", name: "bash" },
  { path: "/bin/sh", name: "sh" },
] as const;

/** A shell that processes can be started with. */
export type Shell = (typeof SHELLS)[number];

/** The image's shell: Bash, unless only sh is there. */
export function findShell(exists: (path: string) => boolean): Shell {
  return SHELLS.find(({ path }) => exists(path)) ?? SHELLS[0];
}

/**
 * Arguments, argv[0] included, that make the shell source the profile scripts, change directory and then become the
 * process, in a nested shell of the same kind that expands the command. Platform spec, "launcher", "Execution".
 *
 * @param caller name of the launcher, `$0` to the profile scripts
 */
export function shellArguments(shell: Shell, caller: string, start: ShellStart): string[] {
  const { profiles, workingDirectory, command, args } = start;
  const words = [command, ...args];
  const nested =
    args.length === 0
      ? `exec ${shell.name} -c "$@"`
      : `exec ${shell.name} -c '${words.map((_, index) => expanded(index)).join(" ")}' "$@"`;
  const script = [
    ...profiles.map((profile) => `. ${quoted(profile)}`),
    `cd ${quoted(workingDirectory)} || exit 82`,
    nested,
  ];
  return [shell.name, "-c", script.join("\n"), caller, ...words];
}

/** A word of the nested script: its positional parameter, expanded as if it stood in double quotes. */
function expanded(index: number): string {
  return `"$(eval "printf %s \\"\${${index}}\\"")"`;
}

/** The text as one word of a shell script, whatever it contains. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
