/** The code of a failed system call, such as `ENOENT`; undefined for anything else that was thrown. */
export function systemCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("code" in error)) return undefined;
  return typeof error.code === "string" ? error.code : undefined;
}

/**
 * The message of anything that was thrown. A failed system call reads as "open /x: no such file or directory", which is
 * how the reference puts it and what people search for.
 */
export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { syscall, path, dest } = error as NodeJS.ErrnoException & { readonly dest?: string };
  const reason = /^[A-Z0-9]+: (.*?), /.exec(error.message)?.[1];
  if (syscall === undefined || path === undefined || reason === undefined) return error.message;
  return `${syscall} ${path}${dest === undefined ? "" : ` ${dest}`}: ${reason}`;
}

/** The same without the path, for messages that name it themselves: "ENOENT: no such file or directory". */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const match = /^([A-Z][A-Z0-9_]*: [^,]*),/.exec(error.message);
  return match?.[1] ?? error.message;
}
