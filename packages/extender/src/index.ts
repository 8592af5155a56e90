export { type BaseImage, baseFrom, rootIdentity } from "./base-image.ts";
export { EXEC_HELPER, type ExtendedImage, type ExtendOptions, extend } from "./extend.ts";
export { type ExtendCache, type ExtendCachePlaces, openExtendCache, workPlace } from "./extend-cache.ts";
export { type ExtensionDockerfile, findDockerfiles } from "./find-dockerfiles.ts";
export { requireContainer } from "./in-container.ts";
export { unpackImage } from "./unpack-image.ts";
export { writeExtended } from "./write-extended.ts";
