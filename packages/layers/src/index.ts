export {
  type BytePath,
  childPath,
  fromLatin1,
  parentPath,
  toBytePath,
  toFileSystem,
  toText,
} from "./byte-path.ts";
export type { Cache } from "./cache.ts";
export { CacheDirectory } from "./cache-directory.ts";
export { CacheImage } from "./cache-image.ts";
export { CacheReadError, LayerError, type LayerErrorCode } from "./errors.ts";
export { type ArchiveEntry, type ExtractOptions, extract, extractEntries } from "./extract.ts";
export { Glob, PatternError } from "./glob.ts";
export { gzip } from "./gzip.ts";
export { LaunchCache } from "./launch-cache.ts";
export { createdBy, LayerFactory } from "./layer-factory.ts";
export type { NewLayer } from "./new-layer.ts";
export { openCache } from "./open-cache.ts";
export type { Slice } from "./slices.ts";
export { entryOf, inspect, type Owner, type TarEntry } from "./tar-entry.ts";
export { type EntryType, encodeHeader, entryType, type TarHeader } from "./tar-header.ts";
export { type EntrySink, type ReadEntry, TarReader } from "./tar-reader.ts";
export { tarStream } from "./tar-stream.ts";
