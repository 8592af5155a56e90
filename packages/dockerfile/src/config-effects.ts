import { constants } from "node:os";
import { posix } from "node:path";
import type { RuntimeConfig } from "@lifecycle/image";
import { InstructionError } from "./error.ts";
import type {
  CommandLine,
  HealthcheckInstruction,
  ListInstruction,
  PairsInstruction,
  StartInstruction,
  ValueInstruction,
} from "./instruction.ts";

/** Expands variables and takes quotes away. */
export interface Expansion {
  word(text: string): string;
  words(text: string): string[];
}

/** What shell form is run with unless SHELL says otherwise. */
const defaultShell = ["/bin/sh", "-c"] as const;

const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** The arguments of a command line, in shell form those of the shell, which gets no line if there is none. */
export function argumentsOf(command: CommandLine, config: RuntimeConfig): readonly string[] {
  if (command.form === "exec") return command.args;
  return command.text === "" ? shellOf(config) : [...shellOf(config), command.text];
}

/** The program and first arguments that shell form is run with. */
export function shellOf(config: RuntimeConfig): readonly string[] {
  const shell = config.Shell;
  return Array.isArray(shell) && shell.length > 0 ? shell.map(String) : defaultShell;
}

/** The config that FROM starts with: the base image's, its triggers gone, and with a PATH. */
export function startingConfig(base: RuntimeConfig): RuntimeConfig {
  const { OnBuild: _, ...config } = base;
  const env = config.Env ?? [];
  const hasPath = env.some((entry) => entry.startsWith("PATH="));
  return { ...config, Env: hasPath ? env : [...env, `PATH=${defaultPath}`] };
}

/** ENV and LABEL: sets names, those that are there in their places. @throws InstructionError `syntax` for an empty name */
export function withPairs(config: RuntimeConfig, { kind, pairs }: PairsInstruction, expand: Expansion): RuntimeConfig {
  // All values are expanded with what was there before the instruction.
  const values = pairs.map(({ name, value }) => ({ name: expand.word(name), value: expand.word(value) }));
  if (values.some(({ name }) => name === "")) throw new InstructionError("syntax", `${kind} names can not be blank`);
  if (kind === "LABEL") {
    const labels = Object.entries(config.Labels ?? {});
    return { ...config, Labels: Object.fromEntries([...labels, ...values.map(({ name, value }) => [name, value])]) };
  }
  const env = [...(config.Env ?? [])];
  for (const { name, value } of values) {
    const index = env.findIndex((entry) => entry === name || entry.startsWith(`${name}=`));
    if (index < 0) env.push(`${name}=${value}`);
    else env[index] = `${name}=${value}`;
  }
  return { ...config, Env: env };
}

/** USER: who runs what comes, here and in the image. Whether there is such a user shows only then. */
export function withUser(config: RuntimeConfig, { value }: ValueInstruction, expand: Expansion): RuntimeConfig {
  return { ...config, User: expand.word(value) };
}

/** WORKDIR: below the one before, unless it is absolute. @throws InstructionError `syntax` if it is empty */
export function withWorkingDir(config: RuntimeConfig, { value }: ValueInstruction, expand: Expansion): RuntimeConfig {
  const directory = expand.word(value);
  if (directory === "") throw new InstructionError("syntax", "WORKDIR needs a path");
  // Docker leaves an absolute path as it is written.
  const isAbsolute = directory.startsWith("/");
  return { ...config, WorkingDir: isAbsolute ? directory : posix.resolve("/", config.WorkingDir ?? "", directory) };
}

/** STOPSIGNAL: a name, with SIG or without, or a number. @throws InstructionError `syntax` for any other */
export function withStopSignal(config: RuntimeConfig, { value }: ValueInstruction, expand: Expansion): RuntimeConfig {
  const signal = expand.word(value);
  const name = signal.toUpperCase().replace(/^SIG/, "");
  const isName = Object.hasOwn(constants.signals, `SIG${name}`) || /^RTM(?:IN|AX)(?:[+-][0-9]{1,2})?$/.test(name);
  const isNumber = /^[0-9]{1,9}$/.test(signal) && Number(signal) !== 0;
  if (!isName && !isNumber) throw new InstructionError("syntax", `invalid signal: ${signal}`);
  return { ...config, StopSignal: signal };
}

/** EXPOSE: more ports, and ranges of them. @throws InstructionError `syntax` for what is none */
export function withExposedPorts(config: RuntimeConfig, { values }: ListInstruction, expand: Expansion): RuntimeConfig {
  const ports = { ...asRecord(config.ExposedPorts) };
  for (const port of values.flatMap((value) => expand.words(value)).flatMap(portsOf)) ports[port] = {};
  return { ...config, ExposedPorts: ports };
}

/** `80`, `80/udp`, `8000-8010/tcp`; an address and port of the host before it count for nothing. */
function portsOf(text: string): string[] {
  const [, first, last, protocol = "tcp"] =
    /^(?:.*:)?([0-9]{1,5})(?:-([0-9]{1,5}))?(?:\/([a-zA-Z]+))?$/.exec(text) ?? [];
  const start = Number(first);
  const end = Number(last ?? first);
  const known = ["tcp", "udp", "sctp"].includes(protocol.toLowerCase());
  if (first === undefined || !known || end > 65_535 || end < start) {
    throw new InstructionError("syntax", `invalid containerPort: ${text}`);
  }
  return Array.from({ length: end - start + 1 }, (_, index) => `${start + index}/${protocol.toLowerCase()}`);
}

/** VOLUME: more of them. @throws InstructionError `syntax` for an empty one */
export function withVolumes(config: RuntimeConfig, { values }: ListInstruction, expand: Expansion): RuntimeConfig {
  const volumes = { ...asRecord(config.Volumes) };
  for (const value of values) {
    const volume = expand.word(value.trim());
    if (volume === "") throw new InstructionError("syntax", "VOLUME specified can not be an empty string");
    volumes[volume] = {};
  }
  return { ...config, Volumes: volumes };
}

/** CMD and ENTRYPOINT. @param state.cmdSet whether the Dockerfile itself had a CMD: an ENTRYPOINT takes only the base image's away */
export function withStart(
  config: RuntimeConfig,
  { kind, command }: StartInstruction,
  state: { readonly cmdSet: boolean },
): RuntimeConfig {
  const args = argumentsOf(command, config);
  if (kind === "CMD") return { ...config, Cmd: args };
  const { Cmd, ...others } = config;
  const entrypoint = args.length === 0 ? {} : { Entrypoint: args };
  const { Entrypoint: _, ...rest } = others;
  return { ...rest, ...(state.cmdSet && Cmd !== undefined ? { Cmd } : {}), ...entrypoint };
}

/** HEALTHCHECK: takes the place of the base image's, with all its times. */
export function withHealthcheck(config: RuntimeConfig, instruction: HealthcheckInstruction): RuntimeConfig {
  const { command, times, retries } = instruction;
  if (command === undefined) return { ...config, Healthcheck: { Test: ["NONE"] } };
  const test = command.form === "exec" ? ["CMD", ...command.args] : ["CMD-SHELL", command.text];
  return { ...config, Healthcheck: { Test: test, ...times, ...(retries === undefined ? {} : { Retries: retries }) } };
}

function asRecord(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {};
}
