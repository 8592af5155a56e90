/** Where a file or label departs from its format. */
export interface FormatErrorDetails {
  /** The file's path, or the label's name. */
  readonly file: string;
  /** From 1. */
  readonly line?: number;
  /** In UTF-16 units, from 1. */
  readonly column?: number;
  /** What is wrong, without the place. */
  readonly what: string;
  /** What the user can do, if that does not follow from what is wrong. */
  readonly hint?: string;
}

/** A file or label that cannot be read as what it should be. The message names the place, the reason and the remedy. */
export class FormatError extends Error {
  readonly file: string;
  readonly line: number | undefined;
  readonly column: number | undefined;
  readonly what: string;
  readonly hint: string | undefined;

  constructor(details: FormatErrorDetails) {
    const place = [details.file, details.line, details.column].filter((part) => part !== undefined).join(":");
    super(`${place}: ${details.what}${details.hint === undefined ? "" : `; ${details.hint}`}`);
    this.name = "FormatError";
    this.file = details.file;
    this.line = details.line;
    this.column = details.column;
    this.what = details.what;
    this.hint = details.hint;
  }
}
