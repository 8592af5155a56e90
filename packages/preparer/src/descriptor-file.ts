import { existsSync, readFileSync, realpathSync, statSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { type Digest, digestOf } from "@lifecycle/image";
import {
  FormatError,
  MAX_TOML_LENGTH,
  type ProjectDescriptor,
  parseProject,
  type ReadProject,
} from "@lifecycle/spec-types";
import { messageOf } from "@lifecycle/syscall";
import { type ArchiveLimits, readFromArchive } from "./archive.ts";
import { failure } from "./errors.ts";

/** project.toml as it was read. */
export interface DescriptorFile extends ReadProject {
  readonly path: string;
  readonly digest: Digest;
  /** Where its relative paths begin. */
  readonly baseDir: string;
}

/**
 * Reads the project descriptor: the one that is named, else project.toml of the application, which need not be there
 * and must not be a link out of it.
 *
 * @param named absolute; empty for the application's
 * @throws LifecycleError with exit code 111
 */
export function readDescriptor(appDir: string, named: string): DescriptorFile | undefined {
  const path = named || join(appDir, "project.toml");
  if (!existsSync(path)) {
    if (named === "") return undefined;
    throw failure("invalidDescriptor", `project descriptor ${path} is not there`);
  }
  const real = realpathSync(path);
  if (named === "" && relative(realpathSync(appDir), real).split("/")[0] === "..") {
    throw failure("invalidDescriptor", `project descriptor ${path} is a link out of the application`);
  }
  const stats = statSync(real);
  if (!stats.isFile() || stats.size > MAX_TOML_LENGTH) {
    throw failure("invalidDescriptor", `project descriptor ${path} is no file of at most ${MAX_TOML_LENGTH} bytes`);
  }
  const bytes = readFileSync(real);
  try {
    return { ...parseProject(bytes.toString("utf8"), path), path, digest: digestOf(bytes), baseDir: dirname(real) };
  } catch (error) {
    throw failure("invalidDescriptor", error instanceof FormatError ? error.message : messageOf(error), error);
  }
}

/**
 * What project.toml says, before anything is unpacked: of an application in an archive, as far as a regular file at its
 * top says it.
 *
 * @returns undefined if there is none, or it is wrong, which {@link readDescriptor} tells when it is its turn
 */
export async function readDescriptorAhead(
  appDir: string,
  named: string,
  limits: ArchiveLimits,
): Promise<ProjectDescriptor | undefined> {
  try {
    if (named !== "" || !statSync(appDir).isFile()) return readDescriptor(appDir, named)?.descriptor;
    const bytes = await readFromArchive(appDir, { name: "project.toml", maxSize: MAX_TOML_LENGTH }, limits);
    return bytes && parseProject(bytes.toString("utf8"), "project.toml").descriptor;
  } catch {
    return undefined;
  }
}
