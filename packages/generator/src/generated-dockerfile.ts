import { join } from "node:path";
import { type Extension, type Logger, readOutputFile } from "@lifecycle/buildpack";
import { type DockerfileKind, isBuildContext, parseDockerfile, validateDockerfile } from "@lifecycle/dockerfile";
import { whilst } from "@lifecycle/phase";
import { type ExtendArg, type ExtendConfig, parseExtendConfig, refuseReservedArgs } from "@lifecycle/spec-types";

/** A Dockerfile that an extension generated. */
export interface GeneratedDockerfile {
  readonly kind: DockerfileKind;
  readonly extensionId: string;
  /** Absolute path. */
  readonly path: string;
  /** The image that a run.Dockerfile switches to. */
  readonly withBase: string | undefined;
  /** Whether it changes its base. */
  readonly extend: boolean;
}

export const EXTEND_CONFIG = "extend-config.toml";

const sharedContext = "context";
const imageContexts = ["context.build", "context.run"];

/** All directories that can be the build context of an extension's Dockerfiles. */
export const CONTEXTS: readonly string[] = [sharedContext, ...imageContexts];

/**
 * Reads and checks what an extension generated. Image extension spec, "Phase: Generation".
 *
 * @param dir need not exist
 * @returns the run.Dockerfile, then the build.Dockerfile, as far as they are there
 * @throws Error for what the spec does not allow
 */
export async function readGenerated(extension: Extension, dir: string, logger: Logger): Promise<GeneratedDockerfile[]> {
  const config = await readExtendConfig(join(dir, EXTEND_CONFIG));
  const dockerfiles: GeneratedDockerfile[] = [];
  for (const kind of ["run", "build"] as const) {
    const dockerfile = await readDockerfile(extension, dir, kind, config?.[kind].args, logger);
    if (dockerfile === undefined) continue;
    dockerfiles.push(dockerfile);
    logger.debug(`Found ${kind}.Dockerfile for processing`);
  }
  checkContexts(dir, logger);
  return dockerfiles;
}

async function readExtendConfig(path: string): Promise<ExtendConfig | undefined> {
  const config = await whilst("reading extend config", () => {
    const text = readOutputFile(path);
    return text === undefined ? undefined : parseExtendConfig(text, path);
  });
  if (config !== undefined) refuseReservedArgs(config, path);
  return config;
}

function readDockerfile(
  extension: Extension,
  dir: string,
  kind: DockerfileKind,
  args: readonly ExtendArg[] | undefined,
  logger: Logger,
): Promise<GeneratedDockerfile | undefined> {
  const path = join(dir, `${kind}.Dockerfile`);
  const extensionId = extension.info.id;
  return whilst(`failed to parse ${kind}.Dockerfile for extension ${extensionId}`, () => {
    const text = readOutputFile(path);
    if (text === undefined) return undefined;
    const { withBase, extend, warnings } = validateDockerfile(parseDockerfile(text, path), kind, args);
    for (const warning of warnings) logger.warn(warning);
    return { kind, extensionId, path, withBase, extend };
  });
}

function checkContexts(dir: string, logger: Logger): void {
  const found = CONTEXTS.filter((name) => isBuildContext(join(dir, name)));
  if (found.includes(sharedContext)) {
    logger.debug(`found shared extension context ${JSON.stringify(join(dir, sharedContext))}`);
    if (found.length > 1) {
      throw new Error(`image-specific context dir is provided together with a shared context (${dir})`);
    }
  } else {
    for (const name of found) logger.debug(`found extension context ${JSON.stringify(join(dir, name))}`);
  }
  logger.debug(`Found '${found.length}' Build Contexts for processing`);
}
