import type { Place } from "./error.ts";
import type { Heredoc } from "./heredoc.ts";

/** What is run: arguments as they stand (JSON form), or a line for the shell. */
export type CommandLine =
  | { readonly form: "exec"; readonly args: readonly string[] }
  | { readonly form: "shell"; readonly text: string };

/** A name and its value as written, quotes and variables included. */
export interface Pair {
  readonly name: string;
  readonly value: string;
}

/** `--mount` of RUN. */
export interface RunMount {
  readonly type: "bind" | "cache" | "tmpfs" | "secret" | "ssh";
  /** Empty for the working directory, and for a secret that is no file. */
  readonly target: string;
  /** In what is mounted: a path in the context, or in the image `from`. */
  readonly source: string;
  readonly from: string | undefined;
  /** Names a cache or a secret; the target unless given. */
  readonly id: string;
  readonly required: boolean;
  /** For a cache or secret, octal; undefined for its default. */
  readonly mode: number | undefined;
  readonly uid: number;
  readonly gid: number;
  /** For a secret: the variable that gets it. */
  readonly env: string | undefined;
}

interface InstructionOf<Kind extends string> {
  readonly kind: Kind;
  readonly place: Place;
  /** The instruction on one line, for messages and history. */
  readonly source: string;
}

/** `FROM <image> [AS <stage>]`: the base image, with which a stage begins. */
export interface FromInstruction extends InstructionOf<"FROM"> {
  /** As written, variables included. */
  readonly image: string;
  readonly stage: string | undefined;
}

/** `ARG <name>[=<default>] …`: build args that the stage can use from here on. */
export interface ArgInstruction extends InstructionOf<"ARG"> {
  readonly args: readonly { readonly name: string; readonly value: string | undefined }[];
}

/** `ENV` and `LABEL`, as `<name>=<value> …` or `<name> <value>`. */
export interface PairsInstruction extends InstructionOf<"ENV" | "LABEL"> {
  readonly pairs: readonly Pair[];
}

/** `RUN`: a program that changes the root. */
export interface RunInstruction extends InstructionOf<"RUN"> {
  readonly command: CommandLine;
  /** What `--mount` says, as written: its parts may have variables. */
  readonly mounts: readonly string[];
  readonly heredocs: readonly Heredoc[];
}

/** `COPY` and `ADD`: files of the context, another image, the Dockerfile itself or a URL. */
export interface CopyInstruction extends InstructionOf<"COPY" | "ADD"> {
  /** As written; those that are heredocs stand here too, as `<<EOF`. */
  readonly sources: readonly string[];
  readonly destination: string;
  readonly heredocs: readonly Heredoc[];
  readonly from: string | undefined;
  readonly chown: string | undefined;
  readonly chmod: string | undefined;
  readonly checksum: string | undefined;
  /** Names below the sources that are left out. */
  readonly exclude: readonly string[];
  /** Whether what is copied keeps the directories above it. */
  readonly parents: boolean;
  /** Whether archives are unpacked; undefined for what ADD does by itself. */
  readonly unpack: boolean | undefined;
}

/** Instructions that are all one value. */
export interface ValueInstruction extends InstructionOf<"USER" | "WORKDIR" | "STOPSIGNAL" | "MAINTAINER"> {
  readonly value: string;
}

/** `EXPOSE` and `VOLUME`: ports, and directories. */
export interface ListInstruction extends InstructionOf<"EXPOSE" | "VOLUME"> {
  readonly values: readonly string[];
}

/** `SHELL`: the program and first arguments that shell form is run with. */
export interface ShellInstruction extends InstructionOf<"SHELL"> {
  readonly shell: readonly string[];
}

/** `CMD` and `ENTRYPOINT`: what a container of the image starts. */
export interface StartInstruction extends InstructionOf<"CMD" | "ENTRYPOINT"> {
  readonly command: CommandLine;
}

/** `HEALTHCHECK`: how to tell whether a container still works. */
export interface HealthcheckInstruction extends InstructionOf<"HEALTHCHECK"> {
  /** Undefined for NONE. */
  readonly command: CommandLine | undefined;
  /** In nanoseconds, by the names they have in an image's config. */
  readonly times: Readonly<Record<string, number>>;
  readonly retries: number | undefined;
}

/** `ONBUILD`: an instruction for the builds that are based on the image. */
export interface OnbuildInstruction extends InstructionOf<"ONBUILD"> {
  /** The instruction to come, with its heredocs. */
  readonly trigger: string;
}

/** One instruction of a Dockerfile. Variables are not expanded yet: that takes the values of the time it runs. */
export type Instruction =
  | FromInstruction
  | ArgInstruction
  | PairsInstruction
  | RunInstruction
  | CopyInstruction
  | ValueInstruction
  | ListInstruction
  | ShellInstruction
  | StartInstruction
  | HealthcheckInstruction
  | OnbuildInstruction;

/** FROM and what follows it. */
export interface Stage {
  readonly from: FromInstruction;
  readonly instructions: readonly Instruction[];
}

/** A Dockerfile as it was read. */
export interface Dockerfile {
  /** Its name, for messages. */
  readonly file: string;
  readonly escapeToken: "\\" | "`";
  /** ARGs before the first FROM; their values can be used by FROM, and by ARGs of the same name without a default. */
  readonly globalArgs: readonly ArgInstruction[];
  readonly stages: readonly Stage[];
}
