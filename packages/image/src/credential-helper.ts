import { execFile } from "node:child_process";
import { basicCredentials, type Credentials } from "./credentials.ts";
import { ImageError } from "./errors.ts";
import { JsonReader, parseJsonObject } from "./json-border.ts";

const timeout = 30_000;

/**
 * Asks a program `docker-credential-<name>` (the docker-credential-helpers protocol).
 * @param server the registry's host, or Docker Hub's historical URL
 * @param env the program's environment; it is looked for in its PATH
 * @returns undefined if it has no credentials for the registry
 * @throws ImageError `invalid` if it cannot be run or answers something else
 */
export async function askCredentialHelper(
  name: string,
  server: string,
  env: Readonly<Record<string, string | undefined>>,
): Promise<Credentials | undefined> {
  const program = `docker-credential-${name}`;
  if (!/^[\w.-]+$/.test(name)) throw new ImageError("invalid", `${JSON.stringify(name)} names no credential helper`);
  const output = await new Promise<string | undefined>((resolve, reject) => {
    const child = execFile(program, ["get"], { env, timeout, maxBuffer: 1024 * 1024 }, (error, stdout) => {
      if (error === null) resolve(stdout);
      // It says so with a message and status 1, whether it has none or could not look.
      else if (typeof error.code === "number") resolve(undefined);
      else {
        const reason = error.code === "ENOENT" ? "there is no such program in PATH" : (error.code ?? error.message);
        reject(new ImageError("invalid", `${program} cannot be run: ${reason}`));
      }
    });
    child.stdin?.on("error", () => {});
    child.stdin?.end(server);
  });
  if (output === undefined) return undefined;
  const reader = new JsonReader(parseJsonObject(output, `answer of ${program}`), `answer of ${program}`);
  const [username, secret] = [reader.text("Username"), reader.text("Secret")];
  if (!secret) return undefined;
  return username === "<token>" ? { kind: "identity", token: secret } : basicCredentials(username ?? "", secret);
}
