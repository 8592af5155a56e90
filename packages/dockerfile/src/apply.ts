import { rmSync } from "node:fs";
import { posix } from "node:path";
import { describeEnd } from "@lifecycle/buildpack";
import type { Downloader, History, ImageConfig, RuntimeConfig } from "@lifecycle/image";
import { type BytePath, childPath, fromLatin1, type Owner, toBytePath } from "@lifecycle/layers";
import { type Download, download, isGitRepository, isUrl, openArchive } from "./add.ts";
import {
  argumentsOf,
  type Expansion,
  shellOf,
  startingConfig,
  triggersOf,
  withExposedPorts,
  withHealthcheck,
  withPairs,
  withStart,
  withStopSignal,
  withTrigger,
  withUser,
  withVolumes,
  withWorkingDir,
} from "./config-effects.ts";
import { Copier, findDestination } from "./copy.ts";
import { atInstruction, DockerfileError, InstructionError } from "./error.ts";
import { expandText, expandWord, expandWords, type Lookup } from "./expand.ts";
import { GuestFiles } from "./guest-files.ts";
import { heredocContent, heredocOf } from "./heredoc.ts";
import { type IgnoreRules, ignoreRules, readIgnoreFile } from "./ignore-file.ts";
import type {
  CopyInstruction,
  Dockerfile,
  Instruction,
  RunInstruction,
  RunMount,
  ValueInstruction,
} from "./instruction.ts";
import type { LayerCache } from "./layer-cache.ts";
import type { LayerFile } from "./layer-file.ts";
import { mayMount } from "./may-mount.ts";
import { contextOrigin, imageOrigin, type Origin, type SourceImage } from "./origin.ts";
import { OutputTail } from "./output-tail.ts";
import { parseTrigger } from "./parse.ts";
import type { RootFileSystem } from "./root-file-system.ts";
import { runInRoot } from "./run.ts";
import { type MountSources, RunMounts } from "./run-mounts.ts";
import { readFile } from "./source-tree.ts";
import { Steps } from "./steps.ts";
import { TreeWriter } from "./tree-writer.ts";
import { Undo } from "./undo.ts";
import { unpack } from "./unpack.ts";
import { Users } from "./users.ts";
import { BuildArgs, envMap } from "./variables.ts";

/** What a Dockerfile is applied to and with. */
export interface ApplyOptions {
  /** Is changed in place. */
  readonly root: RootFileSystem;
  /** The config of the image that the root is of. */
  readonly config: ImageConfig;
  /** Build args by name: `base_image`, `build_id`, `user_id`, `group_id`, and those of extend-config.toml. */
  readonly buildArgs: Readonly<Record<string, string>>;
  /** The build context, a directory. Its .dockerignore is read when something is copied from it. */
  readonly context: string;
  /** Where layers are written to, and taken from if the same was done before. */
  readonly cache: LayerCache;
  /** Where the caches of `RUN --mount=type=cache` are kept; without it they are as good as empty. */
  readonly mountCaches?: string;
  /** Files with what `RUN --mount=type=secret` may have, by id. */
  readonly secrets?: Readonly<Record<string, string>>;
  /** The program and first arguments that call `execInRoot` with the path that follows. */
  readonly helper: readonly string[];
  /** Fetches what ADD names by a URL. */
  readonly downloader: Downloader;
  /** Whether the layers are of no use but in the cache: those that cannot be kept there are left out. */
  readonly onlyRoot?: boolean;
  /** A private directory for what lasts as long as this. */
  readonly workDirectory: string;
  /** Takes the output of RUN as it comes; to be copied if it is kept. */
  readonly output: (chunk: Buffer) => void;
  /** Is told of each instruction before it is carried out. */
  readonly log?: (line: string) => void;
  /** Is told what went wrong without stopping anything. */
  readonly warn?: (message: string) => void;
  /** Finds another image, for `COPY --from`. */
  readonly openImage?: (reference: string) => Promise<SourceImage>;
  /** Stops it: a RUN with all that it started, a download, a copy. */
  readonly signal: AbortSignal;
}

/** What a Dockerfile made of its base. */
export interface Applied {
  /** Those that were added, lowest first. */
  readonly layers: readonly LayerFile[];
  /** The base's, changed, with the new layers and their history. */
  readonly config: ImageConfig;
}

/**
 * Applies a Dockerfile of one stage to a root. FROM is taken for granted: the root is of the image that it names.
 * @throws DockerfileError with file, line and instruction; `aborted`, whose cause is the signal's reason
 */
export async function applyDockerfile(dockerfile: Dockerfile, options: ApplyOptions): Promise<Applied> {
  const [stage, second] = dockerfile.stages;
  const place = second?.from.place ?? { file: dockerfile.file, line: 1 };
  if (stage === undefined) throw new DockerfileError("syntax", place, "there is no FROM");
  if (second !== undefined) throw new DockerfileError("refused", place, "a second stage is not supported");
  const build = new Build(dockerfile.escapeToken, options);
  for (const instruction of dockerfile.globalArgs) build.declareGlobal(instruction.args);
  const triggers = triggersOf(options.config.config).map((trigger) => parseTrigger(trigger, stage.from.place));
  const instructions = [...triggers, ...stage.instructions];
  for (const [index, instruction] of instructions.entries()) {
    options.log?.(`Step ${index + 1}/${instructions.length} : ${instruction.source}`);
    try {
      options.signal.throwIfAborted();
      await build.apply(instruction);
    } catch (error) {
      if (options.signal.aborted) {
        const cause = options.signal.reason;
        throw new DockerfileError("aborted", instruction.place, `${instruction.kind} was stopped`, { cause });
      }
      throw atInstruction(instruction.place, instruction.source, error);
    }
  }
  return build.finish();
}

const rootOwner: Owner = { uid: 0, gid: 0 };

/** Where a heredoc that is a program of its own lies while it runs. */
const pipesDirectory = toBytePath("/.lifecycle-heredocs");

class Build {
  readonly #escapeToken: string;
  readonly #options: ApplyOptions;
  readonly #root: RootFileSystem;
  readonly #warn: (message: string) => void;
  readonly #users: Users;
  readonly #args: BuildArgs;
  #config: RuntimeConfig;
  #author: string | undefined;
  #contextRules: IgnoreRules | undefined;
  #cmdSet = false;
  readonly #steps: Steps;
  readonly #history: History[] = [];

  constructor(escapeToken: string, options: ApplyOptions) {
    this.#escapeToken = escapeToken;
    this.#options = options;
    this.#root = options.root;
    this.#steps = new Steps(options);
    this.#warn = options.warn ?? (() => {});
    this.#users = new Users(options.root.paths);
    this.#args = new BuildArgs({ ...platformArgs(options.config), ...options.buildArgs });
    this.#config = startingConfig(options.config.config);
  }

  declareGlobal(args: readonly { name: string; value: string | undefined }[]): void {
    for (const { name, value } of args) {
      const expanded = value === undefined ? undefined : expandWord(value, this.#args.globalLookup, this.#escapeToken);
      this.#args.declareGlobal(name, expanded);
    }
  }

  async apply(instruction: Instruction): Promise<void> {
    const before = this.#steps.layers.length;
    await this.#carryOut(instruction);
    const made = this.#steps.layers.length > before;
    this.#history.push({ created_by: instruction.source, ...(made ? {} : { empty_layer: true }) });
  }

  finish(): Applied {
    const { config } = this.#options;
    const diffIds = this.#steps.layers.map(({ diffId }) => diffId);
    const history = [...(config.history ?? []), ...this.#history];
    return {
      layers: this.#steps.layers,
      config: {
        ...config,
        ...(this.#author === undefined ? {} : { author: this.#author }),
        config: this.#config,
        history,
        rootfs: { ...config.rootfs, diff_ids: [...config.rootfs.diff_ids, ...diffIds] },
      },
    };
  }

  async #carryOut(instruction: Instruction): Promise<void> {
    const config = this.#config;
    const expand = this.#expansion();
    switch (instruction.kind) {
      case "FROM":
        throw new InstructionError("refused", "a second stage is not supported");
      case "ARG":
        for (const { name, value } of instruction.args) {
          const lookup = this.#expansion();
          this.#args.declare(lookup.word(name), value === undefined ? undefined : lookup.word(value));
        }
        return;
      case "ENV":
      case "LABEL":
        this.#config = withPairs(config, instruction, expand);
        return;
      case "RUN":
        await this.#run(instruction);
        return;
      case "COPY":
      case "ADD":
        await this.#copy(instruction);
        return;
      case "WORKDIR":
        await this.#workdir(instruction, expand);
        return;
      case "USER":
        this.#config = withUser(config, instruction, expand);
        return;
      case "STOPSIGNAL":
        this.#config = withStopSignal(config, instruction, expand);
        return;
      case "MAINTAINER":
        this.#author = instruction.value;
        return;
      case "EXPOSE":
        this.#config = withExposedPorts(config, instruction, expand);
        return;
      case "VOLUME":
        this.#config = withVolumes(config, instruction, expand);
        return;
      case "SHELL":
        this.#config = { ...config, Shell: instruction.shell };
        return;
      case "CMD":
      case "ENTRYPOINT":
        this.#config = withStart(config, instruction, { cmdSet: this.#cmdSet });
        this.#cmdSet ||= instruction.kind === "CMD";
        return;
      case "HEALTHCHECK":
        this.#config = withHealthcheck(config, instruction);
        return;
      case "ONBUILD":
        this.#config = withTrigger(config, instruction.trigger);
        return;
    }
  }

  #env(): Map<string, string> {
    return envMap(this.#config.Env ?? []);
  }

  #lookup(): Lookup {
    const env = this.#env();
    const args = this.#args.visible(env);
    return (name) => env.get(name) ?? args.get(name);
  }

  #expansion(): Expansion {
    const lookup = this.#lookup();
    return {
      word: (text) => expandWord(text, lookup, this.#escapeToken),
      words: (text) => expandWords(text, lookup, this.#escapeToken),
    };
  }

  async #workdir(instruction: ValueInstruction, expand: Expansion): Promise<void> {
    this.#config = withWorkingDir(this.#config, instruction, expand);
    const directory = this.#workingDirectory();
    await this.#steps.take(["WORKDIR", directory], () => {
      return this.#root.snapshot.changesOf(this.#makeDirectory(directory));
    });
  }

  /** As an absolute path; base images may have an empty one. */
  #workingDirectory(): string {
    return posix.resolve("/", this.#config.WorkingDir ?? "");
  }

  #makeDirectory(directory: string): ReadonlySet<BytePath> {
    const writer = new TreeWriter(this.#root.paths);
    const path = this.#root.paths.resolve(toBytePath(directory));
    writer.makeDirectories(path, { mode: 0o755, ...rootOwner });
    return writer.touched;
  }

  async #run(instruction: RunInstruction): Promise<void> {
    const { command, heredocs } = instruction;
    const text = JSON.stringify([command, heredocs]);
    const { Env = [], User = "" } = this.#config;
    const workingDirectory = this.#workingDirectory();
    const args = this.#args.relevant(this.#env(), text);
    const mounts = this.#mountsOf(instruction);
    const bound: unknown[] = [];
    for (const { type, from, source } of mounts) {
      if (type === "bind") bound.push(await (await this.#origin(from)).material([source]));
    }
    const material = ["RUN", text, mounts, bound, shellOf(this.#config), Env, args, User, workingDirectory];
    await this.#steps.take(material, async () => {
      const { signal } = this.#options;
      await this.#root.snapshot.take(signal);
      const undo = new Undo(this.#root.paths, this.#warn);
      const guest = new GuestFiles(this.#root.paths, undo);
      const runMounts = new RunMounts(this.#root.paths, this.#mountSources(), undo);
      let lent: ReadonlySet<BytePath>;
      try {
        this.#makeDirectory(workingDirectory);
        for (const mount of mounts) await runMounts.enter(mount);
        guest.lend();
        lent = new Set([...guest.paths, ...runMounts.paths]);
        await this.#execute(this.#programOf(instruction, undo), runMounts.env);
      } catch (error) {
        // What else goes wrong then must not hide this.
        await undo.all().catch((problem) => this.#warn(String(problem)));
        throw error;
      }
      await undo.all();
      return this.#root.snapshot.changes(signal, lent);
    });
  }

  /** What RUN mounts, with variables expanded and targets as absolute paths. */
  #mountsOf({ mounts }: RunInstruction): RunMount[] {
    const expand = this.#expansion();
    return mounts.map((mount) => {
      const target = mount.target === "" ? "" : posix.resolve(this.#workingDirectory(), expand.word(mount.target));
      return { ...mount, source: expand.word(mount.source), target };
    });
  }

  /** The arguments to run, heredocs taken care of: one alone is the script, others are the shell's. */
  #programOf({ command, heredocs }: RunInstruction, undo: Undo): readonly string[] {
    const [first] = heredocs;
    if (command.form === "exec" || first === undefined) return argumentsOf(command, this.#config);
    const isAlone = heredocOf(command.text.trim(), this.#escapeToken) !== undefined;
    if (!isAlone) {
      const text = [command.text, ...heredocs.map(({ body, name }) => `${body}${name}`)].join("\n");
      return [...shellOf(this.#config), text];
    }
    const script = heredocContent(first);
    if (!script.startsWith("#!")) return [...shellOf(this.#config), script];
    const path = childPath(pipesDirectory, toBytePath(first.name.replaceAll("/", "_")));
    const writer = new TreeWriter(this.#root.paths);
    writer.remove(pipesDirectory);
    writer.directory(pipesDirectory, { mode: 0o755, ...rootOwner });
    undo.later(pipesDirectory, () => rmSync(this.#root.paths.file(pipesDirectory), { recursive: true, force: true }));
    const file = writer.file(path, { mode: 0o755, ...rootOwner });
    file.write(Buffer.from(script));
    file.close();
    return [...shellOf(this.#config), path];
  }

  async #execute(args: readonly string[], secrets: Readonly<Record<string, string>>): Promise<void> {
    const { helper, workDirectory, output, signal } = this.#options;
    const user = this.#users.runUser(this.#config.User ?? "");
    const env = this.#env();
    const variables = { HOME: user.home, ...Object.fromEntries([...this.#args.visible(env), ...env]), ...secrets };
    const tail = new OutputTail();
    const end = await runInRoot({
      helper,
      workDirectory,
      signal,
      output: (chunk) => {
        tail.add(chunk);
        output(chunk);
      },
      root: this.#root.paths.directory,
      cwd: this.#workingDirectory(),
      args,
      env: variables,
      uid: user.uid,
      gid: user.gid,
      groups: user.groups,
    });
    signal.throwIfAborted();
    if (end.kind === "exited" && end.code === 0) return;
    const said = tail.text();
    const hint = this.#lacksProc(said) ? "; a directory's RUN has no /proc where mounting is not allowed" : "";
    throw new InstructionError(
      "failed",
      `${describeEnd(end)}${hint}${said === "" ? "" : `; its output ended with:\n${said}`}`,
    );
  }

  /** Whether a program that says this may have failed for want of /proc. */
  #lacksProc(said: string): boolean {
    return this.#root.paths.directory !== "/" && !mayMount() && /\bproc\b/.test(said);
  }

  #mountSources(): MountSources {
    const { mountCaches, secrets = {}, signal } = this.#options;
    const tree = async (from: string | undefined) => (await this.#origin(from)).tree();
    return { caches: mountCaches, secrets, tree, signal, warn: this.#warn };
  }

  /** Where files come from; @param from the image as written, undefined for the build context */
  async #origin(from: string | undefined): Promise<Origin> {
    const { context, openImage, signal } = this.#options;
    if (from === undefined) {
      this.#contextRules ??= readIgnoreFile(context);
      return contextOrigin(context, this.#contextRules, signal);
    }
    const reference = expandWord(
      from,
      (name) => this.#lookup()(name) ?? this.#args.globalLookup(name),
      this.#escapeToken,
    );
    if (openImage === undefined) throw new InstructionError("failed", `image ${reference} cannot be read here`);
    return imageOrigin(await openImage(reference), reference);
  }

  async #copy(instruction: CopyInstruction): Promise<void> {
    const downloads: Download[] = [];
    try {
      await this.#copyFrom(instruction, downloads);
    } finally {
      for (const { remove } of downloads) await remove();
    }
  }

  /** @param downloads is given what is fetched, to be removed at the end */
  async #copyFrom(instruction: CopyInstruction, downloads: Download[]): Promise<void> {
    const { kind, heredocs } = instruction;
    const { downloader, signal, workDirectory } = this.#options;
    const expand = this.#expansion();
    const files: { name: string; content: string }[] = [];
    const copied: string[] = [];
    for (const argument of instruction.sources) {
      const start = heredocs.length > 0 ? heredocOf(argument, this.#escapeToken) : undefined;
      const heredoc = heredocs.find(({ name }) => name === start?.name);
      const path = expand.word(argument);
      if (heredoc !== undefined) {
        const text = heredocContent(heredoc);
        const content = heredoc.expand ? expandText(text, this.#lookup(), this.#escapeToken) : text;
        files.push({ name: heredoc.name, content });
      } else if (kind === "ADD" && isGitRepository(path)) {
        throw new InstructionError("refused", `Git repositories cannot be added: ${path}`);
      } else if (kind === "ADD" && isUrl(path)) {
        const checksum = instruction.checksum === undefined ? undefined : expand.word(instruction.checksum);
        downloads.push(await download(path, downloader, workDirectory, checksum, signal));
      } else {
        copied.push(path);
      }
    }
    const origin = copied.length > 0 ? await this.#origin(instruction.from) : undefined;
    const { paths } = this.#root;
    const argument = expand.word(instruction.destination);
    const workingDirectory = this.#workingDirectory();
    const chown = instruction.chown === undefined ? undefined : expand.word(instruction.chown);
    const mode = instruction.chmod === undefined ? undefined : parseMode(expand.word(instruction.chmod));
    const material = [
      [kind, workingDirectory, argument, chown ?? null, mode ?? null, instruction.exclude],
      [(await origin?.material(copied)) ?? null, files, downloads.map(({ name, digest }) => [name, digest])],
    ];
    await this.#steps.take(material, async () => {
      const tree = await origin?.tree();
      const sources = copied.flatMap((path) => tree?.find(path) ?? []);
      if (sources.length + files.length + downloads.length > 1 && !argument.endsWith("/")) {
        const rule = "the destination must be a directory and end with a /";
        throw new InstructionError("failed", `with more than one source file, ${rule}`);
      }
      const destination = findDestination(paths, argument, workingDirectory);
      const given = chown === undefined ? undefined : this.#users.owner(chown);
      const owner = given ?? rootOwner;
      const exclude = ignoreRules(instruction.exclude);
      const copier = new Copier(paths, { owner, mode, exclude, signal });
      const touched = new Set<BytePath>();
      for (const source of sources) {
        const archive =
          kind === "ADD" && source.stats.isFile() ? await openArchive(source.tree.host(source.path)) : undefined;
        if (archive === undefined) await copier.copy(source, destination);
        else for (const path of await this.#unpack(archive, destination.path, given)) touched.add(path);
      }
      const place = (name: string) =>
        destination.isDirectory ? childPath(destination.path, toBytePath(name)) : destination.path;
      for (const { name, content } of files) await copier.copyFile([Buffer.from(content)], place(name), 0o644);
      for (const { name, path } of downloads) {
        if (name === "" && destination.isDirectory) throw new InstructionError("failed", "the URL has no file name");
        await copier.copyFile(readFile(toBytePath(path)), place(name), 0o600);
      }
      return this.#root.snapshot.changesOf([...touched, ...copier.touched]);
    });
  }

  async #unpack(
    archive: AsyncIterable<Uint8Array>,
    into: BytePath,
    owner: Owner | undefined,
  ): Promise<ReadonlySet<BytePath>> {
    const { signal } = this.#options;
    const writer = new TreeWriter(this.#root.paths);
    writer.makeDirectories(into, { mode: 0o755, ...rootOwner });
    const isIgnored = (path: BytePath) => this.#root.ignored.contain(path);
    const touched = await unpack(archive, this.#root.paths, {
      kind: "archive",
      into: fromLatin1(into),
      isIgnored,
      ...(owner === undefined ? {} : { owner }),
      signal,
    });
    return new Set([...writer.touched, ...touched]);
  }
}

/** What every stage can ask for by ARG: the platform that is built for, which is the one that builds. */
function platformArgs({ os, architecture, variant }: ImageConfig): Record<string, string> {
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

function parseMode(text: string): number {
  if (!/^[0-7]{1,4}$/.test(text)) throw new InstructionError("syntax", `--chmod=${text} is no octal mode`);
  return Number.parseInt(text, 8);
}
