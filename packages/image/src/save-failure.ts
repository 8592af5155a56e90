import { ImageError } from "./errors.ts";

/**
 * The error for names under which an image could not be saved.
 * @param failures `SavedImage.failures`, with at least one entry
 */
export function saveFailure(failures: ReadonlyMap<string, Error>): ImageError {
  const list = [...failures].map(([name, { message }]) => `[${name}: ${message}]`).join(",");
  const [first] = failures.values();
  const code = first instanceof ImageError ? first.code : "refused";
  return new ImageError(code, `failed to write image to the following tags: ${list}`, { cause: first });
}
