declare const oneCharacterPerByte: unique symbol;

/**
 * A path or name as the bytes that the file system holds, one character (0 to 255) per byte. File names need not be
 * UTF-8, layers keep them as they are, and comparing such strings compares bytes, which is the order of a layer.
 */
export type BytePath = string & { readonly [oneCharacterPerByte]: true };

const pastAscii = /[\u0080-\uffff]/;

/** Whether every character of a string is an ASCII one. */
export function isAscii(text: string): boolean {
  return !pastAscii.test(text);
}

/** The bytes of a path given as text. */
export function toBytePath(path: string): BytePath {
  return (isAscii(path) ? path : Buffer.from(path, "utf8").toString("latin1")) as BytePath;
}

/** The bytes of a name that was read with the encoding `latin1`. */
export function fromLatin1(name: string): BytePath {
  return name as BytePath;
}

/** What to hand to functions of `node:fs`. */
export function toFileSystem(path: BytePath): string | Buffer {
  return isAscii(path) ? path : Buffer.from(path, "latin1");
}

/** The path as text for messages; bytes that are not UTF-8 become U+FFFD. */
export function toText(path: BytePath): string {
  return isAscii(path) ? path : Buffer.from(path, "latin1").toString("utf8");
}

/** `name` in `directory`. */
export function childPath(directory: BytePath, name: BytePath): BytePath {
  return (directory === "/" ? `/${name}` : `${directory}/${name}`) as BytePath;
}

/** The directory of an absolute path without trailing slash; the root is its own. */
export function parentPath(path: BytePath): BytePath {
  return (path.slice(0, path.lastIndexOf("/")) || "/") as BytePath;
}
