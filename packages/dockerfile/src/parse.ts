import { parseGoDuration } from "@lifecycle/spec-types";
import { parse as parseWithLibrary } from "docker-file-parser";
import { DockerfileError, InstructionError, type Place } from "./error.ts";
import { type Flags, isOn, takeFlags } from "./flags.ts";
import type { Heredoc } from "./heredoc.ts";
import type {
  ArgInstruction,
  CommandLine,
  CopyInstruction,
  Dockerfile,
  HealthcheckInstruction,
  Instruction,
  Pair,
  Stage,
} from "./instruction.ts";
import { readLogicalLines } from "./logical-lines.ts";
import { parseMount } from "./mount-flag.ts";
import { findUnquoted, splitWords } from "./words.ts";

/**
 * Reads a Dockerfile.
 *
 * The library splits instructions into name and arguments; what it does not know (directives, heredocs, flags), and what
 * it would lose (quotes around names, repeated and numeric names, runs of spaces), is done around it.
 * @param file its name, for messages
 * @throws DockerfileError `syntax` with file and line
 */
export function parseDockerfile(text: string, file: string): Dockerfile {
  const { escapeToken, lines } = readLogicalLines(text, file);
  const globalArgs: ArgInstruction[] = [];
  const stages: { from: Stage["from"]; instructions: Instruction[] }[] = [];
  if (lines.length === 0) throw new DockerfileError("syntax", { file, line: 1 }, "file with no instructions");
  for (const { text: line, line: number, heredocs } of lines) {
    const place = { file, line: number };
    const instruction = parseInstruction(line, heredocs, place, escapeToken);
    const stage = stages.at(-1);
    if (instruction.kind === "FROM") stages.push({ from: instruction, instructions: [] });
    else if (stage !== undefined) stage.instructions.push(instruction);
    else if (instruction.kind === "ARG") globalArgs.push(instruction);
    else throw new DockerfileError("syntax", place, `${instruction.kind} stands before the first FROM`);
  }
  return { file, escapeToken, globalArgs, stages };
}

/**
 * Reads the instruction that an ONBUILD of the base image left behind.
 * @throws DockerfileError `syntax`; `refused` for an instruction that cannot be one
 */
export function parseTrigger(trigger: string, place: Place): Instruction {
  const { lines } = readLogicalLines(trigger, place.file);
  const [line] = lines;
  if (line === undefined || lines.length > 1) {
    throw new DockerfileError("syntax", place, `the base image's ONBUILD trigger is no instruction: ${trigger}`);
  }
  const instruction = parseInstruction(line.text, line.heredocs, place, "\\");
  if (["FROM", "ONBUILD", "MAINTAINER"].includes(instruction.kind)) {
    throw new DockerfileError("refused", place, `${instruction.kind} isn't allowed as an ONBUILD trigger`);
  }
  return instruction;
}

/** Instructions that have flags, and which. What looks like one elsewhere is an error, too. */
const flagsOf: Readonly<Record<string, readonly string[]>> = {
  FROM: ["platform"],
  RUN: ["mount", "network", "security"],
  COPY: ["from", "chown", "chmod", "link", "parents", "exclude"],
  ADD: ["chown", "chmod", "checksum", "keep-git-dir", "link", "unpack", "exclude"],
  HEALTHCHECK: ["interval", "timeout", "start-period", "start-interval", "retries"],
};

function parseInstruction(text: string, heredocs: readonly Heredoc[], place: Place, escapeToken: string): Instruction {
  const [, word = "", rest = ""] = /^(\S+)\s*(.*)$/s.exec(text) ?? [];
  const kind = word.toUpperCase();
  try {
    return parseArguments(kind, rest, heredocs, { place, source: `${kind} ${rest}`.trimEnd() }, escapeToken);
  } catch (error) {
    if (error instanceof InstructionError) throw new DockerfileError(error.code, place, error.message);
    throw error;
  }
}

function parseArguments(
  kind: string,
  rest: string,
  heredocs: readonly Heredoc[],
  common: { readonly place: Place; readonly source: string },
  escapeToken: string,
): Instruction {
  if (kind === "ONBUILD" && rest !== "") {
    return { kind, ...common, trigger: parseOnbuild(rest, heredocs, common.place, escapeToken) };
  }
  const { flags, rest: untrimmed } = takeFlags(kind, rest, flagsOf[kind] ?? [], escapeToken);
  const text = untrimmed.trim();
  if (text === "" && needArguments.has(kind))
    throw new InstructionError("syntax", `${kind} requires at least one argument`);
  switch (kind) {
    case "FROM":
      return { kind, ...common, ...parseFrom(text) };
    case "ARG":
      return { kind, ...common, args: splitWords(text, escapeToken).map((arg) => parseArg(arg, escapeToken)) };
    case "ENV":
    case "LABEL":
      return { kind, ...common, pairs: parsePairs(kind, text, escapeToken) };
    case "RUN": {
      checkRunFlags(flags);
      const mounts = flags.get("mount") ?? [];
      return { kind, ...common, command: commandOf(kind, text, escapeToken), mounts, heredocs };
    }
    case "COPY":
    case "ADD":
      return { ...common, ...parseCopy(kind, text, flags, escapeToken), heredocs };
    case "USER":
    case "WORKDIR":
    case "STOPSIGNAL":
    case "MAINTAINER":
      return { kind, ...common, value: text };
    case "EXPOSE":
    case "VOLUME":
      return { kind, ...common, values: listOf(kind, text, escapeToken) };
    case "SHELL": {
      const shell = commandOf(kind, text, escapeToken);
      if (shell.form === "exec" && shell.args.length > 0) return { kind, ...common, shell: shell.args };
      throw new InstructionError("syntax", "SHELL requires the arguments to be in JSON form");
    }
    case "CMD":
    case "ENTRYPOINT":
      return { kind, ...common, command: commandOf(kind, text, escapeToken) };
    case "HEALTHCHECK":
      return { kind, ...common, ...parseHealthcheck(text, flags, escapeToken) };
    default:
      throw new InstructionError("syntax", `unknown instruction: ${kind}`);
  }
}

/** Instructions that say nothing without arguments. CMD and ENTRYPOINT are then the shell alone. */
const needArguments = new Set(
  "FROM ARG RUN ENV LABEL COPY ADD USER WORKDIR STOPSIGNAL MAINTAINER EXPOSE VOLUME SHELL HEALTHCHECK ONBUILD".split(
    " ",
  ),
);

/** What the library makes of an instruction's arguments. */
function argumentsOf(kind: string, text: string, escapeToken: string): string | readonly string[] {
  // The directive keeps a backslash at the end from being taken for a continuation.
  const directive = escapeToken === "\\" ? "" : `# escape=${escapeToken}\n`;
  const args = parseWithLibrary(`${directive}${kind} ${text}`)[0]?.args;
  if (typeof args === "string" && isOtherArray(text)) {
    throw new InstructionError("syntax", `${kind} in JSON form takes strings only: ${text}`);
  }
  return typeof args === "string" || Array.isArray(args) ? args : text;
}

/** Whether a text is a JSON array after all, of which the library says only that it is none of strings. */
function isOtherArray(text: string): boolean {
  if (!text.startsWith("[")) return false;
  try {
    return Array.isArray(JSON.parse(text));
  } catch {
    return false;
  }
}

function commandOf(kind: string, text: string, escapeToken: string): CommandLine {
  // The library knows neither SHELL nor HEALTHCHECK; CMD has the same forms.
  const args = argumentsOf(kind === "RUN" || kind === "ENTRYPOINT" ? kind : "CMD", text, escapeToken);
  return typeof args === "string" ? { form: "shell", text } : { form: "exec", args };
}

function listOf(kind: string, text: string, escapeToken: string): readonly string[] {
  const args = argumentsOf(kind, text, escapeToken);
  // The library divides no text that ends with an escape character.
  return typeof args === "string" ? args.split(/[\t\v\f\r ]+/) : args;
}

/** What can be known to be wrong before variables have values. */
function checkRunFlags(flags: Flags): void {
  for (const mount of flags.get("mount") ?? []) if (!mount.includes("$")) parseMount(mount);
  for (const [name, values] of Object.entries({
    network: ["default", "none", "host"],
    security: ["sandbox", "insecure"],
  })) {
    const value = flags.get(name)?.at(-1);
    if (value !== undefined && !values.includes(value.toLowerCase())) {
      throw new InstructionError("syntax", `invalid --${name}=${value} (try ${values.join(", ")})`);
    }
  }
}

function parseFrom(text: string): { image: string; stage: string | undefined } {
  const [image = "", as, stage, ...more] = text.split(/\s+/);
  if (as === undefined) return { image, stage: undefined };
  if (as.toUpperCase() !== "AS" || stage === undefined || more.length > 0) {
    throw new InstructionError("syntax", "FROM requires either one or three arguments: <image> [AS <name>]");
  }
  if (!/^[a-z][a-z0-9-_.]*$/.test(stage.toLowerCase())) {
    throw new InstructionError("syntax", `invalid name for build stage: '${stage}'`);
  }
  return { image, stage: stage.toLowerCase() };
}

function parseArg(word: string, escapeToken: string): { name: string; value: string | undefined } {
  const equals = word.indexOf("=");
  const name = equals < 0 ? word : word.slice(0, equals);
  if (name === "" || (equals < 0 && splitWords(name, escapeToken).length !== 1)) {
    throw new InstructionError("syntax", "ARG names can not be blank");
  }
  return { name, value: equals < 0 ? undefined : word.slice(equals + 1) };
}

/** `name=value …`, or in the old form `name value`, where the value is all that follows. */
function parsePairs(kind: string, text: string, escapeToken: string): Pair[] {
  const words = splitWords(text, escapeToken);
  if (words[0]?.includes("=") !== true) {
    const [, name = "", value] = /^(\S+)\s+(.*)$/s.exec(text) ?? [];
    if (value === undefined) throw new InstructionError("syntax", `${kind} must have two arguments`);
    return [{ name, value }];
  }
  return words.map((word) => {
    const equals = equalsOf(word, escapeToken);
    if (equals < 0) {
      throw new InstructionError("syntax", `can't find = in '${word}'; must be of the form: name=value`);
    }
    if (equals === 0) throw new InstructionError("syntax", `${kind} names can not be blank`);
    return { name: word.slice(0, equals), value: word.slice(equals + 1) };
  });
}

/** Where the name of a pair ends: at the first `=` outside of quotes, or the first at all. */
function equalsOf(word: string, escapeToken: string): number {
  const index = findUnquoted(word, /=/, escapeToken);
  return index < word.length ? index : word.indexOf("=");
}

function parseCopy(
  kind: "COPY" | "ADD",
  text: string,
  flags: Flags,
  escapeToken: string,
): Omit<CopyInstruction, "place" | "source" | "heredocs"> {
  const paths = listOf(kind, text, escapeToken);
  const destination = paths.at(-1);
  if (destination === undefined || paths.length < 2) {
    throw new InstructionError("syntax", `${kind} requires at least two arguments`);
  }
  const checksum = flags.get("checksum")?.at(-1);
  if (checksum !== undefined && !checksum.includes("$") && !/^sha256:[0-9a-f]{64}$/.test(checksum)) {
    throw new InstructionError("syntax", `--checksum=${checksum} is no digest of the form sha256:<64 hex digits>`);
  }
  return {
    kind,
    sources: paths.slice(0, -1),
    destination,
    from: flags.get("from")?.at(-1) || undefined,
    chown: flags.get("chown")?.at(-1),
    chmod: flags.get("chmod")?.at(-1),
    checksum,
    exclude: flags.get("exclude") ?? [],
    parents: isOn(flags, "parents"),
    unpack: flags.has("unpack") ? isOn(flags, "unpack") : undefined,
  };
}

function parseHealthcheck(
  text: string,
  flags: Flags,
  escapeToken: string,
): Pick<HealthcheckInstruction, "command" | "times" | "retries"> {
  const [, word = "", rest = ""] = /^(\S+)\s*(.*)$/s.exec(text) ?? [];
  const type = word.toUpperCase();
  if (type === "NONE") {
    if (rest !== "") throw new InstructionError("syntax", "HEALTHCHECK NONE takes no arguments");
    return { command: undefined, times: {}, retries: undefined };
  }
  if (type !== "CMD") throw new InstructionError("syntax", `unknown type '${word}' in HEALTHCHECK (try CMD)`);
  if (rest === "") throw new InstructionError("syntax", "missing command after HEALTHCHECK CMD");
  const times: Record<string, number> = {};
  for (const [flag, field] of healthTimes) {
    const value = flags.get(flag)?.at(-1);
    if (value === undefined) continue;
    const seconds = parseGoDuration(value);
    if (seconds === undefined) throw new InstructionError("syntax", `--${flag}=${value} is no duration`);
    const time = Math.round(seconds * 1e9);
    if (time !== 0 && time < 1e6) throw new InstructionError("syntax", `--${flag}=${value} is less than 1ms`);
    if (time !== 0) times[field] = time;
  }
  const retries = flags.get("retries")?.at(-1);
  if (retries !== undefined && !/^[0-9]{1,9}$/.test(retries)) {
    throw new InstructionError("syntax", `--retries=${retries} is no number of at least 0`);
  }
  return { command: commandOf("CMD", rest, escapeToken), times, retries: Number(retries ?? 0) || undefined };
}

const healthTimes = [
  ["interval", "Interval"],
  ["timeout", "Timeout"],
  ["start-period", "StartPeriod"],
  ["start-interval", "StartInterval"],
] as const;

function parseOnbuild(text: string, heredocs: readonly Heredoc[], place: Place, escapeToken: string): string {
  const trigger = /^\S+/.exec(text)?.[0].toUpperCase() ?? "";
  if (trigger === "ONBUILD") throw new InstructionError("syntax", "chaining ONBUILD via ONBUILD isn't allowed");
  if (trigger === "FROM" || trigger === "MAINTAINER") {
    throw new InstructionError("syntax", `${trigger} isn't allowed as an ONBUILD trigger`);
  }
  // What could not run later is an error now.
  parseInstruction(text, heredocs, place, escapeToken);
  return [text, ...heredocs.map(({ body, name }) => `\n${body}${name}`)].join("");
}
