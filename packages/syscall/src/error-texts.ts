import { constants } from "node:os";

/** Wordings of the C library for what can keep programs from starting, and root from doing what it is to do. */
const texts: Readonly<Record<string, string>> = {
  E2BIG: "argument list too long",
  EACCES: "permission denied",
  EAGAIN: "resource temporarily unavailable",
  EISDIR: "is a directory",
  ELOOP: "too many levels of symbolic links",
  ENOENT: "no such file or directory",
  ENOEXEC: "exec format error",
  ENOMEM: "cannot allocate memory",
  ENOTDIR: "not a directory",
  EPERM: "operation not permitted",
  ETXTBSY: "text file busy",
};

/** What the C library says of an error code, such as `ENOENT`; undefined if that is not known here. */
export function textOfCode(code: string): string | undefined {
  return texts[code];
}

/** The same of an error number, such as 2; "error 2" if it is not known here. */
export function textOfErrno(errno: number): string {
  const [code = ""] = Object.entries(constants.errno).find(([, number]) => number === errno) ?? [];
  return textOfCode(code) ?? `error ${errno}`;
}
