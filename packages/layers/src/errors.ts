/**
 * What went wrong with a layer or the cache:
 * - `changed`: a file or directory was changed while it was read
 * - `missing`: the cache does not have a layer
 * - `unreadable`: the file system refused to read something
 * - `unwritable`: the file system refused to write something
 * - `corrupt`: an archive is damaged, or bytes do not have the digest they should have
 * - `refused`: an archive holds an entry that must not be extracted
 * - `invalid`: an argument is not what it must be
 */
export type LayerErrorCode = "changed" | "missing" | "unreadable" | "unwritable" | "corrupt" | "refused" | "invalid";

/** An error about a layer. The message names the path or entry concerned. */
export class LayerError extends Error {
  override readonly name: string = "LayerError";
  readonly code: LayerErrorCode;

  constructor(code: LayerErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** A layer of the cache that cannot be used. It costs a build time, but no build fails for it. */
export class CacheReadError extends LayerError {
  override readonly name = "CacheReadError";
}
