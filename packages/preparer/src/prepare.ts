import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { digestOf } from "@lifecycle/image";
import { LifecycleError, readOrder, readPrepared, timed } from "@lifecycle/phase";
import {
  DEFAULTS,
  formatOrder,
  formatPrepared,
  formatProjectMetadata,
  formatRun,
  formatStack,
  type Order,
  type Prepared,
  type PreparedBuildpack,
  type ProjectDescriptor,
} from "@lifecycle/spec-types";
import { messageOf } from "@lifecycle/syscall";
import { type App, openApp } from "./app.ts";
import { type DescriptorFile, readDescriptor } from "./descriptor-file.ts";
import { failure } from "./errors.ts";
import { Fetching } from "./fetching.ts";
import { filesToRemove } from "./file-filter.ts";
import { inLayers, type PrepareOptions } from "./options.ts";
import { forExecEnv, makeOrder } from "./order.ts";
import { recover, Transaction } from "./transaction.ts";

/**
 * Applies project.toml: fetches and makes buildpacks, writes the order, the environment, the files that configure later
 * phases and the project's metadata, and takes files out of the application. All of it or, when it fails, nothing.
 *
 * @returns what prepared.toml says
 * @throws LifecycleError with exit code 12 or 110 to 115 (docs/preparer.md)
 */
export function prepare(options: PrepareOptions): Promise<Prepared> {
  return timed("Preparer", options.logger, async () => {
    const transaction = new Transaction();
    try {
      const prepared = await new Preparation(options, transaction).run();
      transaction.commit();
      return prepared;
    } catch (error) {
      for (const left of transaction.rollback()) options.logger.error(`Failed to undo: ${left}`);
      options.signal.throwIfAborted();
      throw error instanceof LifecycleError ? error : failure("prepareError", messageOf(error), error);
    }
  });
}

/** A text that is to become a file. */
interface Output {
  readonly path: string;
  readonly content: string;
}

class Preparation {
  readonly #options: PrepareOptions;
  readonly #transaction: Transaction;
  readonly #previous: Prepared | undefined;
  readonly #decisions: string[] = [];
  readonly #outputs: Output[] = [];

  constructor(options: PrepareOptions, transaction: Transaction) {
    this.#options = options;
    this.#transaction = transaction;
    recover(options.layersDir);
    this.#previous = this.#readPrevious();
  }

  async run(): Promise<Prepared> {
    const { logger, layersDir, buildpacksDir, projectDescriptorPath } = this.#options;
    const app = await openApp(this.#options, this.#options, this.#transaction);
    if (app.source !== undefined) this.#decide(`application from ${app.source} goes to ${app.finalDir}`);
    const file = readDescriptor(app.dir, projectDescriptorPath);
    if (file === undefined) this.#decide(`no project descriptor at ${join(app.finalDir, "project.toml")}`);
    else this.#tellOf(file, app);

    const placed = file && (await this.#prepareBuildpacks(file, app));
    const removed = file === undefined ? [] : this.#filesToRemove(file.descriptor, app);
    const lifecycle = file === undefined ? {} : this.#configure(file.descriptor);
    if (file !== undefined) {
      this.#prepareEnv(file.descriptor);
      this.#prepareMetadata(file.descriptor);
    }

    this.#options.signal.throwIfAborted();
    if (removed.length > 0) {
      const scratch = app.scratch ?? this.#transaction.scratchIn(app.dir);
      for (const path of removed) this.#transaction.remove(path, scratch);
    }
    app.place();
    placed?.place();
    this.#writeOutputs();
    const prepared: Prepared = {
      ...(file && {
        descriptor: {
          path: projectDescriptorPath || join(app.finalDir, "project.toml"),
          digest: file.digest,
          schemaVersion: file.descriptor.schemaVersion,
        },
      }),
      app: {
        path: app.finalDir,
        ...(app.source !== undefined && { source: app.source }),
        removed: removed.length,
      },
      buildpacksDir: placed?.dir ?? buildpacksDir,
      buildpacks: placed?.buildpacks ?? [],
      ...(placed && { builderOrder: this.#builderOrderPath() }),
      lifecycle,
      decisions: this.#decisions,
      outputs: this.#outputs.map(({ path, content }) => ({ path, digest: digestOf(Buffer.from(content)) })),
    };
    const path = inLayers(DEFAULTS.preparedPath, layersDir);
    this.#transaction.write(path, formatPrepared(prepared));
    logger.debug(`Wrote ${path}`);
    return prepared;
  }

  #tellOf({ descriptor, unknownKeys, assumedVersion }: DescriptorFile, app: App): void {
    const { logger } = this.#options;
    const name = this.#options.projectDescriptorPath || join(app.finalDir, "project.toml");
    if (assumedVersion) logger.warn("No schema version declared in project.toml, defaulting to schema version 0.1");
    this.#decide(`project descriptor ${name}, schema version ${descriptor.schemaVersion}`);
    if (unknownKeys.length > 0) {
      const version = descriptor.schemaVersion;
      logger.warn(`The following keys declared in project.toml are not supported in schema version ${version}:`);
      for (const key of new Set(unknownKeys)) logger.warn(`- ${key}`);
      logger.warn("The above keys will be ignored. If this is not intentional, try updating your schema version.");
    }
  }

  /** Writes a decision down, and shows it. */
  #decide(what: string): void {
    this.#decisions.push(what);
    this.#options.logger.info(what.charAt(0).toUpperCase() + what.slice(1));
  }

  #readPrevious(): Prepared | undefined {
    const path = inLayers(DEFAULTS.preparedPath, this.#options.layersDir);
    try {
      return readPrepared(path);
    } catch (error) {
      this.#options.logger.warn(`Ignoring ${path}: ${messageOf(error)}`);
      return undefined;
    }
  }

  /** Whether a file is as an earlier run of the preparer left it. */
  #isOurs(path: string): boolean {
    const digest = this.#previous?.outputs.find((each) => each.path === path)?.digest;
    return digest !== undefined && existsSync(path) && digestOf(readFileSync(path)) === digest;
  }

  /** The platform's order; an order that an earlier run wrote is none. */
  #builderOrderPath(): string {
    const { orderPath } = this.#options;
    return this.#isOurs(orderPath) ? (this.#previous?.builderOrder ?? DEFAULTS.builderOrderPath) : orderPath;
  }

  #builderOrder(): Order {
    const path = this.#builderOrderPath();
    return existsSync(path) ? readOrder(path) : { order: [], orderExtensions: [] };
  }

  async #prepareBuildpacks(
    file: DescriptorFile,
    app: App,
  ): Promise<{ dir: string; buildpacks: readonly PreparedBuildpack[]; place(): void } | undefined> {
    const { descriptor } = file;
    const { execEnv, skipBuildpacks, logger } = this.#options;
    const all = [...descriptor.group, ...descriptor.pre, ...descriptor.post];
    if (all.length === 0) return undefined;
    if (skipBuildpacks) {
      this.#decide("buildpacks are not applied, as the platform asks");
      return undefined;
    }
    const declared = {
      group: forExecEnv(descriptor.group, execEnv),
      pre: forExecEnv(descriptor.pre, execEnv),
      post: forExecEnv(descriptor.post, execEnv),
    };
    for (const each of all) {
      if (!Object.values(declared).some((list) => list.includes(each))) {
        this.#decide(`${each.place} is not for the execution environment ${execEnv}`);
      }
    }
    if (declared.group.length > 0 && declared.pre.length + declared.post.length > 0) {
      logger.warn("pre and post are for the builder's order; group takes its place, so they have no effect");
      this.#decisions.push("pre and post have no effect beside group");
    }
    const fetching = new Fetching(this.#options, this.#previous, file, app, this.#transaction);
    const order = await makeOrder(declared, this.#builderOrder(), (each) => fetching.resolve(each));
    if (order === undefined) return undefined;
    if (order.order.length === 0) {
      throw failure("prepareError", `the builder's order ${this.#builderOrderPath()} has no groups to build with`);
    }
    await fetching.check(descriptor);
    for (const line of fetching.remarks) this.#decide(line);
    for (const { id, version, source, reason } of fetching.buildpacks()) {
      this.#decide(`buildpack ${id}@${version} from ${source} (${reason})`);
    }
    this.#outputs.push({ path: inLayers(DEFAULTS.orderPath, this.#options.layersDir), content: formatOrder(order) });
    return { dir: fetching.dir, buildpacks: fetching.buildpacks(), place: () => fetching.place() };
  }

  #filesToRemove(descriptor: ProjectDescriptor, app: App): ReturnType<typeof filesToRemove> {
    if (descriptor.include === undefined && descriptor.exclude === undefined) return [];
    if (this.#options.skipFiles) {
      this.#decide("include and exclude are not applied, as the platform asks");
      return [];
    }
    const removed = filesToRemove(app.dir, descriptor);
    const which = descriptor.exclude === undefined ? "include" : "exclude";
    this.#decide(`${removed.length} files or directories are kept out of the build by ${which}`);
    return removed;
  }

  /** Tells later phases what the descriptor says, unless the platform told them. */
  #configure({ builder, lifecycle }: ProjectDescriptor): Prepared["lifecycle"] {
    const config = { ...(builder !== undefined && { builder }), ...lifecycle };
    if (Object.keys(config).length === 0) return {};
    if (this.#options.skipConfig) {
      this.#decide("builder and lifecycle configuration are not applied, as the platform asks");
      return {};
    }
    const { platformApi, layersDir, runImage } = this.#options;
    if (builder !== undefined) this.#decide(`builder ${builder} is noted; this build runs in the platform's builder`);
    if (lifecycle.logLevel !== undefined) this.#decide(`log level ${lifecycle.logLevel}, unless the platform sets it`);
    if (lifecycle.processType !== undefined) {
      this.#decide(`default process ${lifecycle.processType}, unless the platform sets it`);
    }
    if (lifecycle.runImage !== undefined) {
      if (runImage !== "" && runImage !== lifecycle.runImage) {
        this.#decide(`run image ${lifecycle.runImage} is not used, as the platform set ${runImage}`);
      } else {
        this.#decide(`run image ${lifecycle.runImage}`);
        const image = { image: lifecycle.runImage };
        const isOlder = platformApi.lessThan("0.12");
        this.#outputs.push({
          path: join(layersDir, isOlder ? "stack.toml" : "run.toml"),
          content: isOlder ? formatStack({ runImage: image }) : formatRun({ images: [image] }),
        });
      }
    }
    return config;
  }

  #prepareEnv({ env }: ProjectDescriptor): void {
    if (env.length === 0) return;
    const { execEnv, platformDir, skipEnv } = this.#options;
    if (skipEnv) {
      this.#decide("the build environment is not applied, as the platform asks");
      return;
    }
    for (const [name, value] of new Map(forExecEnv(env, execEnv).map((each) => [each.name, each.value]))) {
      const path = join(platformDir, "env", name);
      if (existsSync(path) && !this.#isOurs(path)) {
        this.#decide(`variable ${name} is not set, as the platform sets it`);
      } else {
        this.#decisions.push(`variable ${name} is set for the build`);
        this.#outputs.push({ path, content: value });
      }
    }
  }

  /** What `pack` writes of a project, and its id. */
  #prepareMetadata({ project: { id, version, sourceUrl } }: ProjectDescriptor): void {
    if (id === undefined && version === undefined && sourceUrl === undefined) return;
    const { projectMetadataPath: path, skipProjectMetadata } = this.#options;
    if (skipProjectMetadata) {
      this.#decide("project metadata is not written, as the platform asks");
    } else if (existsSync(path) && !this.#isOurs(path)) {
      this.#decide(`project metadata is not written, as the platform provides ${path}`);
    } else {
      const source = {
        type: "project",
        version: { ...(version !== undefined && { declared: version }) },
        metadata: { ...(id !== undefined && { id }), ...(sourceUrl !== undefined && { url: sourceUrl }) },
      };
      this.#outputs.push({ path, content: formatProjectMetadata({ source }) });
    }
  }

  /** Writes the files, and deletes those of an earlier run that are not wanted any more. */
  #writeOutputs(): void {
    const { layersDir, platformDir, projectMetadataPath } = this.#options;
    const places = new Set([layersDir, join(platformDir, "env"), dirname(projectMetadataPath)]);
    for (const { path } of this.#previous?.outputs ?? []) {
      const isWanted = this.#outputs.some((each) => each.path === path);
      if (!isWanted && places.has(dirname(path)) && this.#isOurs(path)) this.#transaction.delete(path);
    }
    for (const { path, content } of this.#outputs) this.#transaction.write(path, content);
  }
}
