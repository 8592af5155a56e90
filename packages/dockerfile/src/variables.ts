import type { ImageConfig } from "@lifecycle/image";
import { atInstruction } from "./error.ts";
import { expandWord, type Lookup } from "./expand.ts";
import type { Dockerfile } from "./instruction.ts";

/** Build args that need no ARG: how programs reach the network. They are no part of what a layer is made from. */
export const predefinedArgs: ReadonlySet<string> = new Set(
  ["HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY"].flatMap((name) => [name, name.toLowerCase()]),
);

/** The values of ARG in one stage, and of those before FROM. */
export class BuildArgs {
  readonly #given: ReadonlyMap<string, string>;
  readonly #global = new Map<string, string>();
  readonly #declared = new Map<string, string | undefined>();

  /** @param given what the builder was given, by name */
  constructor(given: Readonly<Record<string, string>>) {
    this.#given = new Map(Object.entries(given));
  }

  /** The ARGs before FROM. @throws DockerfileError that says where */
  declareGlobals({ globalArgs, escapeToken }: Dockerfile): void {
    for (const { args, place, source } of globalArgs) {
      try {
        for (const { name, value } of args) {
          const standard = value === undefined ? undefined : expandWord(value, this.globalLookup, escapeToken);
          const effective = this.#given.get(name) ?? standard;
          if (effective !== undefined) this.#global.set(name, effective);
        }
      } catch (error) {
        throw atInstruction(place, source, error);
      }
    }
  }

  /** ARG in the stage: what was given, else its default, else what an ARG of the same name before FROM has. */
  declare(name: string, value: string | undefined): void {
    this.#declared.set(name, this.#given.get(name) ?? value ?? this.#global.get(name));
  }

  /** For FROM and the ARGs before it. */
  readonly globalLookup: Lookup = (name) => this.#global.get(name);

  /** The args that programs see, without those that `env` has too. */
  visible(env: ReadonlyMap<string, string>): Map<string, string> {
    const found = new Map<string, string>();
    for (const name of predefinedArgs) {
      const value = this.#given.get(name);
      if (value !== undefined && !this.#declared.has(name) && !env.has(name)) found.set(name, value);
    }
    for (const [name, value] of this.#declared) if (value !== undefined && !env.has(name)) found.set(name, value);
    return found;
  }

  /**
   * The args that a RUN's layer is made from. Among them `build_id` only where the command speaks of it: its value is
   * never the same, and it is there to say which commands must run anew (RFC 0105).
   */
  relevant(env: ReadonlyMap<string, string>, command: string): [name: string, value: string][] {
    return [...this.visible(env)].filter(([name]) => {
      if (name === "build_id") return /\bbuild_id\b/.test(command);
      return !predefinedArgs.has(name) || this.#declared.has(name);
    });
  }
}

/** What every stage can ask for by ARG: the platform that is built for, which is the one that builds. */
export function platformArgs({ os, architecture, variant }: ImageConfig): Record<string, string> {
  const platform = [os, architecture, variant].filter((part) => part !== undefined && part !== "").join("/");
  return {
    TARGETPLATFORM: platform,
    TARGETOS: os,
    TARGETARCH: architecture,
    TARGETVARIANT: variant ?? "",
    BUILDPLATFORM: platform,
    BUILDOS: os,
    BUILDARCH: architecture,
    BUILDVARIANT: variant ?? "",
  };
}

/** `NAME=value` entries as a map; the last one of a name counts. */
export function envMap(entries: readonly string[]): Map<string, string> {
  return new Map(
    entries.map((entry): [string, string] => {
      const equals = entry.indexOf("=");
      return equals < 0 ? [entry, ""] : [entry.slice(0, equals), entry.slice(equals + 1)];
    }),
  );
}
