import { dirname, join } from "node:path";
import { dockerfilePath, readOutputFile } from "@lifecycle/buildpack";
import {
  type Dockerfile,
  type DockerfileKind,
  isBuildContext,
  parseDockerfile,
  validateDockerfile,
} from "@lifecycle/dockerfile";
import type { Inputs } from "@lifecycle/phase";
import { type ExtendArg, type GroupElement, parseExtendConfig, refuseReservedArgs } from "@lifecycle/spec-types";

/** A Dockerfile that an extension generated for the image that is extended. */
export interface ExtensionDockerfile {
  readonly extensionId: string;
  /** Absolute path. */
  readonly path: string;
  readonly dockerfile: Dockerfile;
  /** The build context, an absolute path. */
  readonly contextDir: string;
  /** From extend-config.toml. */
  readonly args: readonly ExtendArg[];
}

/** Where Dockerfiles are looked for. */
export type FindOptions = Pick<Inputs, "appDir" | "generatedDir" | "platformApi"> & {
  readonly kind: DockerfileKind;
  /** The image extensions of the group, in its order. */
  readonly extensions: readonly GroupElement[];
};

/**
 * Finds the Dockerfiles for one kind of image and checks them again, since others can write to `<generated>`. Platform
 * spec, "extender"; image extension spec, "Phase: Extension".
 *
 * @returns in the order of the group; extensions without one are passed over
 * @throws DockerfileError, FormatError, Error for what is no Dockerfile of an extension
 */
export function findDockerfiles(options: FindOptions): ExtensionDockerfile[] {
  return options.extensions.flatMap(({ id }) => readDockerfile(id, options) ?? []);
}

function readDockerfile(extensionId: string, options: FindOptions): ExtensionDockerfile | undefined {
  const { kind, platformApi } = options;
  const path = dockerfilePath(options, kind, extensionId);
  const text = readOutputFile(path);
  if (text === undefined) return undefined;
  const dockerfile = parseDockerfile(text, path);
  const dir = dirname(path);
  const configPath = join(dir, "extend-config.toml");
  const config = readOutputFile(configPath);
  const args = config === undefined ? [] : readArgs(config, configPath, kind);
  validateDockerfile(dockerfile, kind, args);
  const contexts = platformApi.atLeast("0.13") ? [join(dir, `context.${kind}`), join(dir, "context")] : [];
  const contextDir = contexts.find(isBuildContext) ?? options.appDir;
  return { extensionId, path, dockerfile, contextDir, args };
}

function readArgs(text: string, path: string, kind: DockerfileKind): readonly ExtendArg[] {
  const config = parseExtendConfig(text, path);
  refuseReservedArgs(config, path);
  return config[kind].args;
}
