import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { Logger } from "./logger.ts";

/** What a test wants a buildpack or extension to be. */
export interface TestModule {
  readonly version?: string;
  readonly api?: string;
  /** TOML of the `[buildpack]` or `[extension]` table. */
  readonly info?: string;
  /** TOML after that table. */
  readonly descriptor?: string;
  /** Bash scripts. */
  readonly detect?: string;
  readonly build?: string;
  readonly generate?: string;
}

/** Directories as a builder and a platform have them, in a temporary place, for tests with real programs. */
export class TestBuilder {
  readonly dir = mkdtempSync(join(tmpdir(), "builder-"));
  readonly buildpacksDir = join(this.dir, "buildpacks");
  readonly extensionsDir = join(this.dir, "extensions");
  readonly appDir = join(this.dir, "app");
  readonly layersDir = join(this.dir, "layers");
  readonly platformDir = join(this.dir, "platform");
  readonly buildConfigDir = join(this.dir, "build-config");
  /** Log lines as `<level>: <message>`. */
  readonly lines: string[] = [];
  readonly logger: Logger = {
    debug: (message) => void this.lines.push(`debug: ${message}`),
    info: (message) => void this.lines.push(`info: ${message}`),
    warn: (message) => void this.lines.push(`warn: ${message}`),
    error: (message) => void this.lines.push(`error: ${message}`),
  };

  constructor() {
    mkdirSync(this.appDir);
    mkdirSync(this.layersDir);
  }

  buildpack(id: string, module: TestModule = {}): void {
    this.#module("buildpack", this.buildpacksDir, id, module);
  }

  extension(id: string, module: TestModule = {}): void {
    this.#module("extension", this.extensionsDir, id, module);
  }

  /** Writes a file below the builder's directory. */
  write(path: string, content: string, mode = 0o644): void {
    const file = join(this.dir, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, content);
    chmodSync(file, mode);
  }

  remove(): void {
    rmSync(this.dir, { recursive: true });
  }

  #module(kind: string, modulesDir: string, id: string, module: TestModule): void {
    const { version = "1", api = "0.12", info = "", descriptor = "", detect, build, generate } = module;
    const dir = `${modulesDir.slice(this.dir.length + 1)}/${id.replaceAll("/", "_")}/${version}`;
    const table = `[${kind}]\nid = "${id}"\nname = "${id}"\nversion = "${version}"\n${info}\n`;
    this.write(`${dir}/${kind}.toml`, `api = "${api}"\n${table}\n${descriptor}\n`);
    if (detect !== undefined) this.write(`${dir}/bin/detect`, `#!/bin/bash\n${detect}\n`, 0o755);
    if (build !== undefined) this.write(`${dir}/bin/build`, `#!/bin/bash\n${build}\n`, 0o755);
    if (generate !== undefined) this.write(`${dir}/bin/generate`, `#!/bin/bash\n${generate}\n`, 0o755);
  }
}
