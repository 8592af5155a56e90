import { randomUUID } from "node:crypto";
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseAnalyzed } from "@lifecycle/spec-types";
import { makeDebianStack } from "../../images/stack/debian.mjs";
import { type ContainerOptions, type RunningContainer, runContainer, startContainer } from "./containers.ts";
import { type DockerDaemon, startDockerDaemon } from "./docker-daemon.ts";
import { type Registry, startRegistry } from "./registry.ts";
import { mustRun, type Outcome } from "./run.ts";
import { BUILD_USER, giveToBuildUser, makeVolumes, mountsOf, unpackLifecycle, type Volumes } from "./sample-builder.ts";
import { copyImage } from "./skopeo.ts";

const REPOSITORY = fileURLToPath(new URL("../..", import.meta.url));
const SAMPLES = join(REPOSITORY, "images/samples");
const FIXTURES = join(REPOSITORY, "test/fixtures");

/** The sample applications, by name. */
export const sampleApp = (name: string) => join(SAMPLES, "apps", name);

/** Who a phase runs as. */
const USERS = { root: "0:0", user: `${BUILD_USER.uid}:${BUILD_USER.gid}` } as const;

/** What a container of the builder's is started with beyond what every build has. */
export interface PhaseOptions extends Pick<ContainerOptions, "env" | "flags" | "mounts" | "timeout"> {
  /** The build user, unless told otherwise. */
  as?: keyof typeof USERS;
  /** The daemon's image; the build image when absent. */
  image?: string;
}

/** The files of a build, kept until it is removed, and the ways to run phases on them. */
export class ExtensionBuild {
  readonly volumes: Volumes;
  /** `/kaniko` in containers; there is none when undefined. */
  readonly kaniko: string | undefined;
  /** All that the phases wrote, oldest first. */
  output = "";
  readonly #builder: ExtensionBuilder;
  readonly #platformApi: string;

  constructor(builder: ExtensionBuilder, volumes: Volumes, kaniko: string | undefined, platformApi: string) {
    this.#platformApi = platformApi;
    this.#builder = builder;
    this.volumes = volumes;
    this.kaniko = kaniko;
  }

  /** A container's options for an executable, whatever becomes of it. */
  options(command: readonly string[], { as = "user", image = this.#builder.buildImage, ...rest }: PhaseOptions = {}) {
    const [name, ...args] = command;
    return {
      image,
      command: [`/cnb/lifecycle/${name}`, ...args],
      user: USERS[as],
      ...rest,
      env: {
        CNB_PLATFORM_API: this.#platformApi,
        CNB_EXPERIMENTAL_MODE: "quiet",
        CNB_NO_COLOR: "true",
        CNB_EXTENSIONS_DIR: "/files/extensions",
        CNB_ORDER_PATH: "/files/extensions/order.toml",
        CNB_RUN_PATH: "/files/run.toml",
        ...rest.env,
      },
      mounts: {
        ...mountsOf(this.volumes, this.#builder.lifecycle),
        ...(this.kaniko !== undefined && { "/kaniko": this.kaniko }),
        ...rest.mounts,
      },
    } satisfies ContainerOptions;
  }

  /** Runs an executable in a container of its own and returns what it left behind, whatever its exit code. */
  async try(command: readonly string[], options?: PhaseOptions): Promise<Outcome> {
    const outcome = await runContainer(this.#builder.daemon, this.options(command, options));
    this.output += outcome.stdout + outcome.stderr;
    return outcome;
  }

  /** Runs an executable that has to succeed. */
  async run(command: readonly string[], options?: PhaseOptions): Promise<string> {
    const { code, signal, stdout, stderr } = await this.try(command, options);
    if (code !== 0) throw new Error(`${command[0]} ended with ${signal ?? code}:\n${stdout}${stderr}`);
    return stdout;
  }

  /** Runs all phases up to the one before the extender, as a platform does. */
  async prepare(image: string, flags: readonly string[] = []): Promise<void> {
    const { auth, runImage, buildImageReference } = this.#builder;
    await this.run(["analyzer", "-run-image", runImage, ...flags, image], { env: auth });
    await this.run(["detector"]);
    const restore = ["restorer", "-cache-dir", "/cache", "-build-image", buildImageReference];
    await this.run(restore, { env: auth, as: "root" });
  }

  /** Runs the extender for a kind of image in a container of that image. */
  async extend(kind: "build" | "run", options: PhaseOptions = {}): Promise<Outcome> {
    const image = kind === "build" ? undefined : await this.#builder.load((await this.analyzed()).reference);
    return this.try(["extender", "-kind", kind], { as: "root", ...(image && { image }), ...options });
  }

  /** Runs the phases one by one, as a platform does: the extender where there is something to extend. */
  async phases(image: string): Promise<void> {
    await this.prepare(image);
    const succeed = async (outcome: Promise<Outcome>) => {
      const { code, stdout, stderr } = await outcome;
      if (code !== 0) throw new Error(`extender ended with ${code}:\n${stdout}${stderr}`);
    };
    if (await this.#hasBuildDockerfile()) await succeed(this.extend("build"));
    else await this.run(["builder"]);
    if ((await this.analyzed()).extend) await succeed(this.extend("run"));
    await this.run(["exporter", "-cache-dir", "/cache", image], { env: this.#builder.auth, as: "root" });
  }

  /** Runs creator, as root unless told otherwise. */
  async creator(image: string, flags: readonly string[] = [], options: PhaseOptions = {}): Promise<Outcome> {
    const { auth, runImage } = this.#builder;
    const command = ["creator", "-cache-dir", "/cache", "-run-image", runImage, ...flags, image];
    return this.try(command, { as: "root", ...options, env: { ...auth, ...options.env } });
  }

  /** The run image in analyzed.toml. */
  async analyzed(): Promise<{ reference: string; extend: boolean }> {
    const { runImage } = parseAnalyzed(
      await readFile(join(this.volumes.layers, "analyzed.toml"), "utf8"),
      "analyzed.toml",
    );
    return { reference: runImage?.reference ?? "", extend: runImage?.extend ?? false };
  }

  async #hasBuildDockerfile(): Promise<boolean> {
    const generated = join(this.volumes.layers, "generated");
    // The latter is where they are before Platform API 0.13.
    const names = ["-name", "build.Dockerfile", "-o", "-path", "*/build/*/Dockerfile"];
    return (await mustRun("find", [generated, ...names])) !== "";
  }

  /** Removes what is this build's alone: neither layers of images nor a cache that an earlier build began. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.volumes.remove();
  }
}

/** What a build is made of. */
export interface BuildSource {
  /** A directory with the application's source. */
  app?: string;
  /** Files of the application's beside those, or in their place, by path. */
  files?: Record<string, string | Buffer>;
  /** What the user sets for buildpacks and extensions. */
  env?: Record<string, string>;
  /** Extensions of `test/fixtures/extensions`, by directory, which come after the samples. */
  extensions?: readonly string[];
  /** Buildpacks of `test/fixtures/buildpacks`, by name, which come after the samples. */
  buildpacks?: readonly string[];
  /** Whether there is a directory for layers of images at `/kaniko`, or that of an earlier build; a new one when absent. */
  kaniko?: string | false;
  /** The cache of an earlier build. */
  cache?: string;
  /** 0.14 when absent. */
  platformApi?: string;
}

/**
 * A platform with a build image and run images of a real Debian, in which image extensions can install packages. The
 * images lie in a registry that wants a password.
 */
export class ExtensionBuilder {
  readonly daemon: DockerDaemon;
  readonly registry: Registry;
  /** The build image's name in the daemon. */
  readonly buildImage = "samples/build:1";
  /** What is at `/cnb/lifecycle` in containers. */
  readonly lifecycle: string;
  readonly #directory: string;

  private constructor(daemon: DockerDaemon, registry: Registry, directory: string, lifecycle: string) {
    this.daemon = daemon;
    this.registry = registry;
    this.#directory = directory;
    this.lifecycle = lifecycle;
  }

  static async create(): Promise<ExtensionBuilder> {
    const directory = await mkdtemp(join(tmpdir(), "extension-builder-"));
    await mustRun("chmod", ["755", directory]);
    const stack = await makeDebianStack(join(REPOSITORY, "dist/debian-stack"));
    const daemon = await startDockerDaemon();
    const registry = await startRegistry({ auth: "basic" });
    const builder = new ExtensionBuilder(daemon, registry, directory, await unpackLifecycle(directory));
    await copyImage(`oci:${stack.build}`, `docker://${builder.buildImageReference}`, { to: registry });
    await copyImage(`oci:${stack.run}`, `docker://${builder.runImage}`, { to: registry });
    await builder.#deriveRunImage(stack.run, builder.otherRunImage, "other");
    await builder.#deriveRunImage(stack.run, builder.newerRunImage, "newer");
    await builder.load(builder.buildImageReference, builder.buildImage);
    return builder;
  }

  get buildImageReference(): string {
    return this.name("build");
  }

  get runImage(): string {
    return this.name("run");
  }

  /** The run image with a layer more, in which `/etc/run-image` says `other`. */
  get otherRunImage(): string {
    return this.name("other-run");
  }

  /** The run image with a layer more, in which `/etc/run-image` says `newer`. */
  get newerRunImage(): string {
    return this.name("newer-run");
  }

  /** An image's name in the registry. */
  name(name: string): string {
    return `${this.registry.host}/samples/${name}:1`;
  }

  /** The environment of phases that speak to the registry. */
  get auth(): Record<string, string> {
    return { CNB_REGISTRY_AUTH: this.registry.registryAuth() };
  }

  async start(from: BuildSource): Promise<ExtensionBuild> {
    const { app, files = {}, env = {}, extensions = [], buildpacks = [] } = from;
    const source = await mkdtemp(join(this.#directory, "app-"));
    if (app !== undefined) await cp(app, source, { recursive: true });
    for (const [path, content] of Object.entries(files)) {
      await mkdir(dirname(join(source, path)), { recursive: true });
      await writeFile(join(source, path), content);
    }
    const volumes = await makeVolumes(source, from.cache);
    const target = join(volumes.work, "extensions");
    await cp(join(SAMPLES, "extensions"), target, { recursive: true });
    for (const name of extensions) {
      await cp(join(FIXTURES, `extensions/test_${name}`), join(target, `test_${name}`), { recursive: true });
    }
    for (const name of buildpacks) {
      await cp(join(FIXTURES, `buildpacks/test_${name}`), join(volumes.buildpacks, `test_${name}`), {
        recursive: true,
      });
    }
    const order = await readFile(join(target, "order.toml"), "utf8");
    const added = order.replace("[[order]]", `${elements("order-extensions", extensions)}[[order]]`);
    await writeFile(join(target, "order.toml"), `${added}\n${elements("order", buildpacks)}`);
    await writeFile(join(volumes.work, "run.toml"), this.#runToml());
    for (const [name, value] of Object.entries(env)) await writeFile(join(volumes.platform, "env", name), value);
    await giveToBuildUser(dirname(volumes.work));
    const kaniko = from.kaniko ?? (await mkdtemp(join(this.#directory, "kaniko-")));
    return new ExtensionBuild(this, volumes, kaniko === false ? undefined : kaniko, from.platformApi ?? "0.14");
  }

  /** Brings an image from the registry into the daemon; returns its name there. */
  load(reference: string, name?: string): Promise<string> {
    const { username, password } = this.registry.account ?? {};
    return this.loadFrom(`docker://${reference}`, name, [
      "--src-tls-verify=false",
      `--src-creds=${username}:${password}`,
    ]);
  }

  /** Brings an image from anywhere that skopeo knows into the daemon; returns its name there. */
  async loadFrom(location: string, name = `loaded/${randomUUID()}:1`, flags: readonly string[] = []): Promise<string> {
    const to = [`--dest-daemon-host=${this.daemon.host}`, location, `docker-daemon:${name}`];
    await mustRun("skopeo", ["copy", "--quiet", "--insecure-policy", ...flags, ...to]);
    return name;
  }

  /** Runs an image of the daemon's and returns what it writes. */
  async outputOf(image: string, options: Pick<ContainerOptions, "command" | "flags"> = {}): Promise<string> {
    const { code, stdout, stderr } = await runContainer(this.daemon, { image, ...options });
    if (code !== 0) throw new Error(`the application ended with ${code}:\n${stdout}${stderr}`);
    return stdout;
  }

  /** Starts an image of the daemon's, asks it for a page and stops it. */
  async answerOf(image: string): Promise<string> {
    const container = await startContainer(this.daemon, { image, env: { PORT: "0" } });
    try {
      const port = await portOf(container);
      return await (await fetch(`http://127.0.0.1:${port}/`)).text();
    } finally {
      await container.stop();
    }
  }

  async remove(): Promise<void> {
    await this.daemon.stop();
    await this.registry.stop();
    await rm(this.#directory, { recursive: true, force: true });
  }

  /** What images may be run images: a rebase exchanges one for another only if that stands here as its mirror. */
  #runToml(): string {
    const images = [
      { image: this.runImage, mirrors: [this.newerRunImage] },
      { image: this.otherRunImage, mirrors: [] },
    ];
    return images
      .map(({ image, mirrors }) => `[[images]]\nimage = "${image}"\nmirrors = ${JSON.stringify(mirrors)}\n`)
      .join("\n");
  }

  /** Puts the run image with a layer more into the registry. */
  async #deriveRunImage(layout: string, reference: string, content: string): Promise<void> {
    const copy = join(this.#directory, `run-${content}`);
    const file = join(this.#directory, content);
    await writeFile(file, `${content}\n`);
    await copyImage(`oci:${layout}`, `oci:${copy}:image`);
    await mustRun("umoci", ["insert", "--image", `${copy}:image`, file, "/etc/run-image"]);
    await copyImage(`oci:${copy}:image`, `docker://${reference}`, { to: this.registry });
  }
}

function elements(order: string, names: readonly string[]): string {
  return names.map((name) => `[[${order}.group]]\nid = "test/${name}"\nversion = "1.0.0"\n\n`).join("");
}

async function portOf(container: RunningContainer): Promise<string> {
  for (let tries = 0; tries < 200; tries++) {
    const logs = await container.logs();
    const [, port] = /^listening on port (\d+)$/m.exec(logs) ?? [];
    if (port !== undefined) return port;
    await new Promise((resolve) => setTimeout(resolve, 100));
    if (tries === 199) throw new Error(`the application does not listen:\n${logs}`);
  }
  throw new Error("unreachable");
}
