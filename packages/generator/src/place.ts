import { copyFileSync, cpSync, existsSync, lstatSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { escapeId, type Logger, readOutputFile } from "@lifecycle/buildpack";
import { isBuildContext } from "@lifecycle/dockerfile";
import { CONTEXTS, EXTEND_CONFIG, type GeneratedDockerfile } from "./generated-dockerfile.ts";

/** What is generated and has no effect is kept under its name with this at the end. */
const ignoredSuffix = ".ignore";

/**
 * Puts what the extensions generated where platforms look for it before Platform API 0.13:
 * `<generated>/<build or run>/<extension>/Dockerfile`, with the extend-config.toml beside it.
 */
export function placeByKind(
  dockerfiles: readonly GeneratedDockerfile[],
  ignored: ReadonlySet<GeneratedDockerfile>,
  generatedDir: string,
  logger: Logger,
): void {
  for (const dockerfile of dockerfiles) {
    const dir = join(generatedDir, dockerfile.kind, escapeId(dockerfile.extensionId));
    const path = join(dir, ignored.has(dockerfile) ? `Dockerfile${ignoredSuffix}` : "Dockerfile");
    // of an earlier build, where the platform keeps the layers directory
    rmSync(dir, { recursive: true, force: true });
    mkdirSync(dir, { recursive: true });
    logger.debug(`Copying ${dockerfile.path} to ${path}`);
    copyFileSync(dockerfile.path, path);
    const config = join(dirname(dockerfile.path), EXTEND_CONFIG);
    if (existsSync(config)) copyFileSync(config, join(dir, EXTEND_CONFIG));
    if (!ignored.has(dockerfile)) warnOfContext(dockerfile, logger);
  }
}

/** Nothing leads an extender from there to a build context of the extension's own. */
function warnOfContext({ extensionId, kind, path }: GeneratedDockerfile, logger: Logger): void {
  const context = [`context.${kind}`, "context"].find((name) => isBuildContext(join(dirname(path), name)));
  if (context === undefined) return;
  const instead = `${kind}.Dockerfile copies from the app directory`;
  logger.warn(`Not using ${context} of extension ${extensionId}, which takes Platform API 0.13 or later: ${instead}`);
}

/**
 * Puts what an extension brought along where platforms look for it from Platform API 0.13 on, `<generated>/<extension>`;
 * there bin/generate writes by itself.
 *
 * @param to exists
 */
export function placeWhole(from: string, to: string): void {
  for (const name of ["build.Dockerfile", "run.Dockerfile", EXTEND_CONFIG]) {
    if (existsSync(join(from, name))) copyFileSync(join(from, name), join(to, name));
  }
  for (const name of ["build.Dockerfile.dockerignore", "run.Dockerfile.dockerignore"]) {
    const text = readOutputFile(join(from, name));
    if (text !== undefined) writeFileSync(join(to, name), text);
  }
  for (const name of CONTEXTS) {
    if (!isBuildContext(join(from, name))) continue;
    cpSync(join(from, name), join(to, name), { recursive: true, verbatimSymlinks: true, filter: isNoDevice });
  }
}

/** Marks the Dockerfiles in `<generated>/<extension>` that have no effect. */
export function setAside(ignored: ReadonlySet<GeneratedDockerfile>, generatedDir: string): void {
  for (const { kind, extensionId } of ignored) {
    const path = join(generatedDir, escapeId(extensionId), `${kind}.Dockerfile`);
    renameSync(path, `${path}${ignoredSuffix}`);
  }
}

/** @throws Error for what would be waited for, or is no content */
function isNoDevice(path: string): boolean {
  const stats = lstatSync(path);
  if (stats.isFile() || stats.isDirectory() || stats.isSymbolicLink()) return true;
  throw new Error(`${path} is no file, directory or symlink`);
}
