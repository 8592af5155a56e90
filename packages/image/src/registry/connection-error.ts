import { ImageError, type ImageErrorCode } from "../errors.ts";

/** A request got no answer, or a stream ended too early. */
export class ConnectionError extends ImageError {
  /** Whether trying again may help. */
  readonly transient: boolean;

  constructor(code: ImageErrorCode, message: string, transient: boolean, options?: ErrorOptions) {
    super(code, message, options);
    this.transient = transient;
  }
}
