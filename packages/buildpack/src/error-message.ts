/**
 * The message of anything that was thrown. A failed system call reads as "open /x: permission denied", as messages of
 * command line tools do.
 */
export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { syscall, path, dest } = error as NodeJS.ErrnoException & { readonly dest?: string };
  const reason = /^[A-Z0-9]+: (.*?), /.exec(error.message)?.[1];
  if (syscall === undefined || path === undefined || reason === undefined) return error.message;
  return `${syscall} ${path}${dest === undefined ? "" : ` ${dest}`}: ${reason}`;
}
