import { posix } from "node:path";
import type { RuntimeConfig } from "@lifecycle/image";
import type { ApplyOptions } from "./apply-options.ts";
import { type Expansion, startingConfig } from "./config-effects.ts";
import { InstructionError } from "./error.ts";
import { expandWord, expandWords, type Lookup } from "./expand.ts";
import { type IgnoreRules, readIgnoreFile } from "./ignore-file.ts";
import { contextOrigin, imageOrigin, type Origin } from "./origin.ts";
import type { RootFileSystem } from "./root-file-system.ts";
import { Steps } from "./steps.ts";
import { Users } from "./users.ts";
import { BuildArgs, envMap, platformArgs } from "./variables.ts";

/** What a stage has come to so far. Each instruction finds here what those before it left, and leaves its own part. */
export class BuildState {
  readonly options: ApplyOptions;
  readonly escapeToken: string;
  readonly root: RootFileSystem;
  /** Is told what went wrong without stopping anything. */
  readonly warn: (message: string) => void;
  readonly users: Users;
  readonly args: BuildArgs;
  readonly steps: Steps;
  config: RuntimeConfig;
  /** What MAINTAINER said, if there was one. */
  author: string | undefined;
  /** Whether the Dockerfile itself had a CMD. */
  cmdSet = false;
  /** Of .dockerignore, once it was read. */
  #contextRules: IgnoreRules | undefined;

  constructor(escapeToken: string, options: ApplyOptions) {
    this.options = options;
    this.escapeToken = escapeToken;
    this.root = options.root;
    this.warn = options.warn ?? (() => {});
    this.users = new Users(options.root.paths);
    this.args = new BuildArgs({ ...platformArgs(options.config), ...options.buildArgs });
    this.steps = new Steps(options);
    this.config = startingConfig(options.config.config);
  }

  /** What ENV and the base image have set. */
  env(): Map<string, string> {
    return envMap(this.config.Env ?? []);
  }

  /** The variables that instructions can use: ENV goes before ARG. */
  lookup(): Lookup {
    const env = this.env();
    const args = this.args.visible(env);
    return (name) => env.get(name) ?? args.get(name);
  }

  /** Expands with the variables as they are now. */
  expansion(): Expansion {
    const lookup = this.lookup();
    return {
      word: (text) => expandWord(text, lookup, this.escapeToken),
      words: (text) => expandWords(text, lookup, this.escapeToken),
    };
  }

  /** As an absolute path; base images may have an empty one. */
  get workingDirectory(): string {
    return posix.resolve("/", this.config.WorkingDir ?? "");
  }

  /** Expands the name of an image, for which the ARGs before FROM count too. */
  imageName(text: string): string {
    const lookup = this.lookup();
    return expandWord(text, (name) => lookup(name) ?? this.args.globalLookup(name), this.escapeToken);
  }

  /**
   * Where files come from.
   * @param from the image, variables expanded; undefined for the build context
   * @throws InstructionError `failed` if there is no way to images
   */
  async origin(from: string | undefined): Promise<Origin> {
    const { context, ignoreFile, openImage, signal } = this.options;
    if (from === undefined) {
      this.#contextRules ??= readIgnoreFile(context, ignoreFile);
      return contextOrigin(context, this.#contextRules, signal);
    }
    if (openImage === undefined) throw new InstructionError("failed", `image ${from} cannot be read here`);
    return imageOrigin(await openImage(from), from);
  }
}
