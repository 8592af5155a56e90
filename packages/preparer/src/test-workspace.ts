import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { anonymousKeychain, Proxies, RegistryStore, Trust } from "@lifecycle/image";
import { ExitCode, LifecycleError } from "@lifecycle/phase";
import { ApiVersion, isSupported, type OrderGroup, type Prepared, parseOrder } from "@lifecycle/spec-types";
import type { PrepareOptions } from "./options.ts";
import { prepare } from "./prepare.ts";
import { zipDirectory } from "./test-zip.ts";

/** How a run of the preparer ended. */
export interface Outcome {
  readonly prepared: Prepared | undefined;
  readonly error: LifecycleError | undefined;
  /** What was logged, with `WARN: ` before warnings. */
  readonly log: readonly string[];
  /** `a@1 b@1? | c@1`: groups of order.toml, `?` after optional buildpacks; undefined if no order was written. */
  readonly order: string | undefined;
}

/** The directories of a build, with a builder of four buildpacks. */
export class Workspace {
  readonly dir = mkdtempSync(join(tmpdir(), "preparer-"));
  readonly app = join(this.dir, "app");
  readonly layers = join(this.dir, "layers");
  readonly platform = join(this.dir, "platform");
  readonly buildpacks = join(this.dir, "builder/buildpacks");
  readonly order = join(this.dir, "builder/order.toml");
  /** A Platform API without run.toml. */
  readonly older = ApiVersion.parse("0.11");

  constructor() {
    for (const dir of [this.app, this.layers, this.platform]) mkdirSync(dir);
    for (const name of ["g/a@1.0.0", "g/b@1.0.0", "g/c@1.0.0", "g/multi@1.0.0", "g/multi@2.0.0"]) {
      this.writeBuildpack(join(this.buildpacks, name.replace("/", "_").replace("@", "/")), name);
    }
    const element = (id: string, more = "") => `[[order.group]]\nid = "${id}"\nversion = "1.0.0"\n${more}`;
    this.write(
      "builder/order.toml",
      `[[order]]\n${element("g/a")}${element("g/b", "optional = true\n")}[[order]]\n${element("g/c")}`,
    );
  }

  /** Writes a file below the workspace's directory; returns its path. */
  write(path: string, content: string | Buffer): string {
    const file = join(this.dir, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, content);
    return file;
  }

  /** Writes a buildpack, `<id>@<version>`, into a directory. */
  writeBuildpack(dir: string, name: string, descriptor = "", api = "0.10"): string {
    const [id, version] = name.split("@");
    mkdirSync(join(dir, "bin"), { recursive: true });
    writeFileSync(
      join(dir, "buildpack.toml"),
      `api = "${api}"\n[buildpack]\nid = "${id}"\nversion = "${version}"\n${descriptor}`,
    );
    for (const program of ["detect", "build"]) {
      writeFileSync(join(dir, "bin", program), "#!/bin/sh\n", { mode: 0o755 });
    }
    return dir;
  }

  /** Makes an archive of a buildpack: a tar, a gzipped one or a zip. */
  archiveBuildpack(file: string, name: string): string {
    const dir = this.writeBuildpack(mkdtempSync(join(this.dir, "archived-")), name);
    const path = join(this.dir, file);
    mkdirSync(dirname(path), { recursive: true });
    if (file.endsWith(".zip")) zipDirectory(path, dir);
    else execFileSync("tar", [file.endsWith("gz") ? "-czf" : "-cf", path, "-C", dir, "."]);
    return path;
  }

  /** The application's files and links, sorted, without project.toml; directories end in `/` when they are empty. */
  files(dir = this.app): string[] {
    return readdirSync(dir, { recursive: true, withFileTypes: true })
      .filter((each) => !each.isDirectory() || readdirSync(join(each.parentPath, each.name)).length === 0)
      .map((each) => join(each.parentPath, each.name).slice(dir.length + 1) + (each.isDirectory() ? "/" : ""))
      .filter((name) => name !== "project.toml")
      .sort();
  }

  /** A file of the build's environment. */
  env(name: string): string | undefined {
    const path = join(this.platform, "env", name);
    return existsSync(path) ? readFileSync(path, "utf8") : undefined;
  }

  async prepare(options: Partial<PrepareOptions> = {}): Promise<Outcome> {
    const log: string[] = [];
    const add = (message: string) => void log.push(message);
    const env = {};
    const warn = (message: string) => void log.push(`WARN: ${message}`);
    let prepared: Prepared | undefined;
    let error: LifecycleError | undefined;
    try {
      prepared = await prepare({
        platformApi: ApiVersion.parse("0.13"),
        appDir: this.app,
        appOutDir: "",
        buildpackRegistry: join(this.dir, "index"),
        buildpacksDir: this.buildpacks,
        buildpacksOutDir: join(this.layers, "prepared/buildpacks"),
        cacheDir: "",
        execEnv: "production",
        layersDir: this.layers,
        maxBytes: 64 << 20,
        maxEntries: 1000,
        orderPath: this.order,
        platformDir: this.platform,
        projectDescriptorPath: "",
        projectMetadataPath: join(this.layers, "project-metadata.toml"),
        runImage: "",
        skipBuildpacks: false,
        skipConfig: false,
        skipEnv: false,
        skipFiles: false,
        skipProjectMetadata: false,
        env,
        images: new RegistryStore({ keychain: anonymousKeychain, trust: new Trust(env), proxies: new Proxies(env) }),
        logger: {
          debug: () => {},
          info: add,
          warn,
          error: (message) => void log.push(`ERROR: ${message}`),
          phase: add,
          enabled: () => true,
          isJson: false,
          unfiltered: () => ({ debug: () => {}, info: add, warn, error: add }),
        },
        transfers: { begin: () => ({ moved: () => {}, end: () => {} }) },
        signal: new AbortController().signal,
        verifyBuildpackApi: (_kind, name, api) => {
          const version = ApiVersion.tryParse(api);
          if (version === undefined || !isSupported("buildpack", version)) {
            throw new LifecycleError(`${name}: Buildpack API ${api}`, ExitCode.incompatibleBuildpackApi);
          }
        },
        ...options,
      });
    } catch (thrown) {
      if (!(thrown instanceof LifecycleError)) throw thrown;
      error = thrown;
    }
    return { prepared, error, log, order: this.#writtenOrder() };
  }

  remove(): void {
    rmSync(this.dir, { recursive: true, force: true });
  }

  #writtenOrder(): string | undefined {
    const path = join(this.layers, "order.toml");
    if (!existsSync(path)) return undefined;
    const group = ({ group }: OrderGroup) =>
      group.map(({ id, version, optional }) => `${id}@${version}${optional ? "?" : ""}`).join(" ");
    return parseOrder(readFileSync(path, "utf8"), path).order.map(group).join(" | ");
  }
}
