import type { Digest } from "./digest.ts";
import type { ImageDraft } from "./draft.ts";
import type { Image } from "./image.ts";

/**
 * A place where images lie: a registry, a daemon, or a directory of OCI layouts. Phases are handed one and do not know which.
 * Names are image references (`reference.ts`) or identifiers that the same kind of store gave out.
 */
export interface ImageStore {
  /**
   * Finds an image and reads its manifest and config; of an image index, the entry for the store's platform.
   * @returns undefined if there is no such image, or none for the platform
   * @throws ImageError if the name is no reference, access is denied, the store cannot be reached, or what lies there
   *   is no image
   */
  open(name: string): Promise<Image | undefined>;

  /**
   * Makes sure that `name` could be read if it existed.
   * @throws ImageError `unauthorized`, `unreachable`, `untrusted` or `refused`
   */
  checkRead(name: string): Promise<void>;

  /**
   * Makes sure that `name` can be read and written, without leaving anything behind.
   * @throws ImageError `unauthorized`, `unreachable`, `untrusted` or `refused`
   */
  checkWrite(name: string): Promise<void>;

  /**
   * Stores an image under all of `names`. Layers that the target has are not sent, new ones are compressed while they
   * are sent, and the name is set last: a failure leaves no name that points at something incomplete.
   * @returns also when some names could not be set; see `failures`
   * @throws ImageError if none could; whatever a layer's stream throws
   */
  save(draft: ImageDraft, names: readonly [string, ...string[]]): Promise<SavedImage>;
}

/** What came of saving an image. */
export interface SavedImage {
  /** See `Image.identifier`; made from the first name. */
  readonly identifier: string;

  /** How logs call the image. Registry: its digest; layout: its identifier; daemon: 12 digits of its ID. */
  readonly shortId: string;

  /** What report.toml's `[image]` says of it (platform.md, report.toml). */
  readonly report: {
    /** The manifest's digest; only where the image is addressed by it, which is in registries. */
    readonly digest?: Digest;
    /** In bytes. */
    readonly manifestSize?: number;
    /** 64 hex digits; only in a daemon. */
    readonly imageId?: string;
  };

  /** Names that could not be set, with the reason; empty if all is well. */
  readonly failures: ReadonlyMap<string, Error>;
}
