/** What a path is once symbolic links are followed. */
export type FileKind = "directory" | "file";

/** A directory entry as it lies in its directory: a symbolic link is not followed. */
export interface DirEntry {
  readonly name: string;
  readonly kind: FileKind | "symlink";
}

/**
 * The file access that environment rules need.
 *
 * Paths and contents are whatever strings the implementation maps bytes to, as long as the environment it is used with
 * maps them the same way: UTF-8 on Node, one character per byte in the launcher.
 *
 * Every method throws when the file system refuses; only absence is a value.
 */
export interface EnvFs {
  /** Kind of what `path` leads to, anything that is no directory counting as a file; undefined if nothing is there. */
  stat(path: string): FileKind | undefined;
  /** Entries of a directory in any order, without `.` and `..`; undefined if there is no such directory. */
  readDir(path: string): readonly DirEntry[] | undefined;
  /** Whole content of a file; undefined if nothing is there. */
  readFile(path: string): string | undefined;
}
