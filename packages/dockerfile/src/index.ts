export { type Applied, type ApplyOptions, applyDockerfile } from "./apply.ts";
export { DockerfileError, type DockerfileErrorCode, type Place } from "./error.ts";
export { fingerprint } from "./fingerprint.ts";
export type { Dockerfile, Instruction, Stage } from "./instruction.ts";
export { LayerCache } from "./layer-cache.ts";
export { type LayerFacts, LayerFile } from "./layer-file.ts";
export { parseDockerfile } from "./parse.ts";
export { RootFileSystem, type RootOptions, unpackLayer } from "./root-file-system.ts";
export { type DockerfileKind, type ValidDockerfile, validateDockerfile } from "./validate.ts";
