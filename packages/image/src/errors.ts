/**
 * What went wrong with an image:
 * - `invalid`: a name, manifest, config or digest that is not what its format asks for
 * - `not-found`: a blob or manifest that must be there is not
 * - `unauthorized`: the credentials are missing, wrong, or do not suffice
 * - `unreachable`: no answer
 * - `untrusted`: a TLS certificate that nobody vouches for
 * - `refused`: the registry or file system answered with an error
 * - `corrupt`: bytes do not have the digest or size that they were announced with
 */
export type ImageErrorCode =
  | "invalid"
  | "not-found"
  | "unauthorized"
  | "unreachable"
  | "untrusted"
  | "refused"
  | "corrupt";

/** An error about an image, its registry or its layout. The message names the image or address concerned. */
export class ImageError extends Error {
  override readonly name = "ImageError";
  readonly code: ImageErrorCode;

  constructor(code: ImageErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
