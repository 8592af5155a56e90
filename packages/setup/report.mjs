/**
 * A failure that the person at the keyboard can do something about. The message is one line: what is missing or
 * failed, and how to get it. `run.mjs` prints it without a stack trace.
 */
export class SetupError extends Error {
  name = "SetupError";
}

/** Prints one progress line on standard error, so that standard output stays the tools' own. */
export function say(line) {
  process.stderr.write(`setup: ${line}\n`);
}
