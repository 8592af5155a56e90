import { readFileSync, statSync } from "node:fs";
import { MODULE_ENV, type OsDistro, type Target, type TargetMetadata } from "@lifecycle/spec-types";
import { messageOf } from "@lifecycle/syscall";
import type { Logger } from "./logger.ts";

const osReleasePath = "/etc/os-release";

/**
 * The target that buildpacks are told and checked against: what analyzed.toml says about the run image, completed from
 * the build image where it says nothing of a distribution. Buildpack spec, "Targets".
 */
export class BuildTarget {
  readonly #runImageTarget: TargetMetadata | undefined;
  readonly #logger: Logger;
  readonly #osReleasePath: string;
  #target: TargetMetadata | undefined;

  constructor(runImageTarget: TargetMetadata | undefined, logger: Logger, osRelease: string = osReleasePath) {
    this.#runImageTarget = runImageTarget;
    this.#logger = logger;
    this.#osReleasePath = osRelease;
  }

  /** The target. The first call may read /etc/os-release, and says so. */
  get(): TargetMetadata {
    this.#target ??= this.#complete(this.#runImageTarget ?? { os: "", arch: "" });
    return this.#target;
  }

  #complete(target: TargetMetadata): TargetMetadata {
    if (target.distro !== undefined) return target;
    this.#logger.info("target distro name/version labels not found, reading /etc/os-release file");
    const distro = this.#readDistro();
    return {
      ...target,
      os: target.os || "linux",
      arch: target.arch || ownArch(),
      ...(distro === undefined ? {} : { distro }),
    };
  }

  #readDistro(): OsDistro | undefined {
    const stats = statSync(this.#osReleasePath, { throwIfNoEntry: false });
    if (stats === undefined || stats.isDirectory() || stats.size === 0) return undefined;
    try {
      return parseOsRelease(readFileSync(this.#osReleasePath, "utf8"));
    } catch (error) {
      this.#logger.warn(`Encountered error trying to read /etc/os-release file: ${messageOf(error)}`);
      return undefined;
    }
  }
}

/** ID and VERSION_ID of an os-release file; undefined if it has neither. */
export function parseOsRelease(contents: string): OsDistro | undefined {
  const found = { name: "", version: "" };
  for (const line of contents.split("\n")) {
    const [key, value, ...more] = line.split("=");
    if (value === undefined || more.length > 0) continue;
    if (key === "ID") found.name = unquote(value);
    else if (key === "VERSION_ID") found.version = unquote(value);
    if (found.name !== "" && found.version !== "") break;
  }
  return found.name === "" && found.version === "" ? undefined : found;
}

/**
 * Whether a base image's target is one that a buildpack or extension declares. An empty field on either side matches
 * anything; but who declares distributions wants one of them.
 */
export function matchesTarget(base: TargetMetadata, declared: Target): boolean {
  if (!matches(base.os, declared.os)) return false;
  if (!matches(base.arch, declared.arch)) return false;
  if (!matches(base.archVariant, declared.archVariant)) return false;
  if (declared.distros === undefined || declared.distros.length === 0) return true;
  const { distro } = base;
  if (distro === undefined) return false;
  return declared.distros.some(({ name, version }) => matches(distro.name, name) && matches(distro.version, version));
}

/** The `CNB_TARGET_*` variables of a target; optional ones only where they have a value. */
export function targetEnv(target: TargetMetadata): Record<string, string> {
  const env: Record<string, string> = {
    [MODULE_ENV.targetOs]: target.os,
    [MODULE_ENV.targetArch]: target.arch,
  };
  if (target.archVariant) env[MODULE_ENV.targetArchVariant] = target.archVariant;
  if (target.distro?.name) env[MODULE_ENV.targetDistroName] = target.distro.name;
  if (target.distro?.version) env[MODULE_ENV.targetDistroVersion] = target.distro.version;
  return env;
}

/** A base image's target as messages show it: JSON with the keys of analyzed.toml. */
export function formatBaseTarget({ id, os, arch, archVariant, distro }: TargetMetadata): string {
  return JSON.stringify({
    id: id || undefined,
    os,
    arch,
    "arch-variant": archVariant || undefined,
    distro: distro && { name: distro.name, version: distro.version },
  });
}

/** Declared targets as messages show them: JSON with the keys of buildpack.toml. */
export function formatTargets(targets: readonly Target[]): string {
  return JSON.stringify(
    targets.map(({ os, arch, archVariant, distros }) => ({
      os,
      arch,
      "arch-variant": archVariant || undefined,
      distros: distros?.length ? distros.map(({ name, version }) => ({ name, version })) : undefined,
    })),
  );
}

function matches(one: string | undefined, other: string | undefined): boolean {
  return !one || !other || one === other;
}

function unquote(value: string): string {
  return value.replace(/^[" ]+|[" ]+$/g, "");
}

/** This machine's architecture, in the words of the OCI image specification. */
function ownArch(): string {
  return process.arch === "x64" ? "amd64" : process.arch;
}
