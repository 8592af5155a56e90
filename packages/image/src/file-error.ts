import { ImageError } from "./errors.ts";

const explanations: Readonly<Record<string, string>> = {
  EACCES: "permission denied",
  EPERM: "operation not permitted",
  EROFS: "the file system is read-only",
  ENOSPC: "no space left on the disk",
  EDQUOT: "the disk quota is used up",
  ENOENT: "no such file or directory",
  ENOTDIR: "not a directory",
  EISDIR: "a directory",
};

/** What a failed file operation means for an image. */
export function fileError(cause: unknown, path: string): ImageError {
  const { code = "", message } = cause as NodeJS.ErrnoException;
  const denied = code === "EACCES" || code === "EPERM";
  const kind = denied ? "unauthorized" : code === "ENOENT" ? "not-found" : "refused";
  return new ImageError(kind, `${path}: ${explanations[code] ?? message}`, { cause });
}
