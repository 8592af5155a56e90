import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { InlineScript } from "@lifecycle/spec-types";

/** The version of buildpacks that are written in project.toml. */
export const INLINE_VERSION = "0.0.0";

/**
 * Makes a buildpack of a script (RFC "Inline Buildpacks"): its bin/detect always passes, its bin/build is the script,
 * which runs in the application's directory.
 *
 * @param dir an empty directory
 * @param fileContent of the file that `inline` names, if it does; a `#!` of its own counts unless `shell` is given
 */
export function writeInlineBuildpack(dir: string, id: string, script: InlineScript, fileContent?: string): void {
  const shell = script.shell ?? "/bin/sh";
  const content = fileContent ?? script.inline;
  const keepsShebang = fileContent?.startsWith("#!") === true && script.shell === undefined;
  const descriptor = [
    `api = ${quote(script.api)}`,
    "",
    "[buildpack]",
    `id = ${quote(id)}`,
    `name = ${quote(`${id} (inline)`)}`,
    `version = ${quote(INLINE_VERSION)}`,
    "",
    "[[stacks]]",
    'id = "*"',
    "",
  ].join("\n");
  mkdirSync(join(dir, "bin"), { recursive: true });
  writeFileSync(join(dir, "buildpack.toml"), descriptor);
  writeProgram(join(dir, "bin/detect"), `#!${shell}\n\nexit 0\n`);
  writeProgram(join(dir, "bin/build"), keepsShebang ? content : `#!${shell}\n\n${content}\n`);
}

function writeProgram(path: string, content: string): void {
  writeFileSync(path, content);
  chmodSync(path, 0o755);
}

/** What JSON escapes, TOML escapes the same way, and DEL too. */
function quote(text: string): string {
  return JSON.stringify(text).replaceAll("\x7f", "\\u007f");
}
