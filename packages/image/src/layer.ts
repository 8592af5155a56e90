import type { Descriptor } from "./descriptor.ts";
import type { Digest } from "./digest.ts";

/**
 * A layer of an image. Both streams may be started any number of times, also at the same time; each start reads the
 * layer anew, holds a bounded number of bytes, and is given up by leaving the loop.
 */
export interface Layer {
  /** The digest of the uncompressed tar. */
  readonly diffId: Digest;

  /**
   * How a manifest refers to the layer's blob. Undefined for a layer that was never stored: digest and size of its
   * blob are known once `compressed` has run to its end, which is the storing store's work.
   */
  readonly descriptor?: Descriptor;

  /** The size of the tar in bytes, where it is known. */
  readonly size?: number;

  /** Whether the store that the layer comes from has its blob; only where it can be asked without reading the blob. */
  isHeld?(): Promise<boolean>;

  /**
   * The blob: the bytes that `descriptor` describes, or for a new layer a gzip stream of the tar.
   * For a stored layer it ends with an ImageError `corrupt` if digest or size are not the descriptor's.
   */
  compressed(): AsyncIterable<Uint8Array>;

  /** The tar. Ends with an ImageError `corrupt` if its digest is not `diffId`. */
  uncompressed(): AsyncIterable<Uint8Array>;
}
