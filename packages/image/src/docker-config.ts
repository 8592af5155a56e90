import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { systemCode } from "@lifecycle/syscall";
import { askCredentialHelper } from "./credential-helper.ts";
import { basicCredentials, type Credentials, CredentialTable } from "./credentials.ts";
import { ImageError } from "./errors.ts";
import type { JsonObject } from "./go-json.ts";
import { isJsonObject, JsonReader, parseJsonObject } from "./json-border.ts";
import { defaultRegistry } from "./reference.ts";

type Env = Readonly<Record<string, string | undefined>>;

/** What login programs left behind for registry clients: a docker config.json, or Podman's auth.json. */
export interface DockerConfig {
  /** What messages call it. */
  readonly name: string;
  /** Credentials that the file holds itself. */
  readonly auths: CredentialTable;
  /** The program that is asked for all registries without an entry in `helpers`; undefined if none is. */
  readonly defaultHelper: string | undefined;
  /** Programs by registry. */
  readonly helpers: ReadonlyMap<string, string>;
}

/**
 * Reads the first of these files that exists: `$DOCKER_CONFIG/config.json` (else `$HOME/.docker/config.json`),
 * `$REGISTRY_AUTH_FILE`, `$XDG_RUNTIME_DIR/containers/auth.json`, `$XDG_CONFIG_HOME/containers/auth.json`
 * (else `$HOME/.config/…`).
 * @returns undefined if there is none
 * @throws ImageError `invalid` if it is not what Docker and Podman write; names the file
 */
export async function readDockerConfig(env: Env): Promise<DockerConfig | undefined> {
  for (const path of configPaths(env)) {
    let text: string;
    try {
      text = await readFile(path, "utf8");
    } catch (error) {
      if (["ENOENT", "ENOTDIR"].includes(systemCode(error) ?? "")) continue;
      throw new ImageError("invalid", `credentials in ${path} cannot be read: ${(error as Error).message}`);
    }
    return parseDockerConfig(text, path);
  }
  return undefined;
}

/** The first place where a file is looked for; undefined if the environment names no place. */
export function usualConfigPath(env: Env): string | undefined {
  return configPaths(env)[0];
}

function configPaths(env: Env): string[] {
  const { DOCKER_CONFIG, HOME, REGISTRY_AUTH_FILE, XDG_RUNTIME_DIR, XDG_CONFIG_HOME } = env;
  const docker = DOCKER_CONFIG || (HOME && join(HOME, ".docker"));
  const config = XDG_CONFIG_HOME || (HOME && join(HOME, ".config"));
  return [
    docker && join(docker, "config.json"),
    REGISTRY_AUTH_FILE,
    XDG_RUNTIME_DIR && join(XDG_RUNTIME_DIR, "containers/auth.json"),
    config && join(config, "containers/auth.json"),
  ].filter((path): path is string => Boolean(path));
}

/**
 * Parses a docker config.json.
 * @param where the file's name, for messages
 * @throws ImageError `invalid`; the message holds no credentials
 */
export function parseDockerConfig(text: string, where: string): DockerConfig {
  const reader = new JsonReader(parseJsonObject(text.trim() === "" ? "{}" : text, where), where);
  const auths = new CredentialTable();
  for (const [key, entry] of Object.entries(reader.object("auths") ?? {})) {
    const credentials = isJsonObject(entry) ? parseEntry(entry, `${where}: auths: ${key}`) : undefined;
    if (credentials !== undefined) auths.set(key, credentials);
  }
  return {
    name: where,
    auths,
    defaultHelper: reader.text("credsStore") || undefined,
    helpers: new Map(Object.entries(reader.textMap("credHelpers") ?? {})),
  };
}

function parseEntry(entry: JsonObject, where: string): Credentials | undefined {
  const reader = new JsonReader(entry, where);
  const registryToken = reader.text("registrytoken");
  if (registryToken) return { kind: "bearer", token: registryToken };
  const identityToken = reader.text("identitytoken");
  if (identityToken) return { kind: "identity", token: identityToken };
  const auth = reader.text("auth");
  if (auth) {
    // Padded with NULs by some programs.
    const decoded = Buffer.from(auth, "base64").toString().replace(/\0+$/, "");
    const colon = decoded.indexOf(":");
    if (colon < 1) throw new ImageError("invalid", `${where}: auth is not the base64 of name:password`);
    return basicCredentials(decoded.slice(0, colon), decoded.slice(colon + 1));
  }
  const username = reader.text("username");
  return username ? basicCredentials(username, reader.text("password") ?? "") : undefined;
}

/**
 * Asks the program that the config names for a registry, if it names one.
 * @param env for that program
 * @throws ImageError `invalid` if the program cannot be run or makes no sense
 */
export async function askHelper(config: DockerConfig, registry: string, env: Env): Promise<Credentials | undefined> {
  const keys =
    registry === defaultRegistry ? ["https://index.docker.io/v1/", defaultRegistry, "docker.io"] : [registry];
  const helper = keys.map((key) => config.helpers.get(key)).find((name) => name !== undefined) ?? config.defaultHelper;
  return helper ? askCredentialHelper(helper, keys[0] ?? registry, env) : undefined;
}
