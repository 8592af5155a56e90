/** Which of an archive's files to read. */
export interface WantedFile {
  /** Without a directory. */
  readonly name: string;
  /** In bytes; one that is larger counts as none. */
  readonly maxSize: number;
}

/** Whether a name in an archive, perhaps with `./` or `/` in front, is that of a file at its top. */
export function isAtTop(entryName: string, name: string): boolean {
  return entryName.replace(/^(?:\.?\/)+/, "") === name;
}
