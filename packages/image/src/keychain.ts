import { cloudCredentials } from "./cloud/cloud-credentials.ts";
import { anonymousKeychain, type Credentials, CredentialTable, type Keychain } from "./credentials.ts";
import { askHelper, parseDockerConfig, readDockerConfig, usualConfigPath } from "./docker-config.ts";
import { ImageError } from "./errors.ts";
import { JsonReader, parseJsonObject } from "./json-border.ts";
import { parseReference, type Reference } from "./reference.ts";

/** Maps registries to Authorization headers, in JSON (platform.md, registry authentication). */
const registryAuthVariable = "CNB_REGISTRY_AUTH";

/** Docker's variable for the content of a config.json. */
const dockerAuthVariable = "DOCKER_AUTH_CONFIG";

type Env = Readonly<Record<string, string | undefined>>;

/**
 * Gathers all credentials while files can be read and programs can be run, which is before privileges are dropped:
 * those in `CNB_REGISTRY_AUTH`, else those in `DOCKER_AUTH_CONFIG`, else those in Docker's or Podman's files and what
 * credential helpers answer for the registries of `images`, else what Amazon and Azure give to their workloads.
 * @param images names of images that may be accessed; those that are no references are left to who opens them
 * @param warn told about a file, a header or a helper that cannot be used, which then counts as absent
 * @throws ImageError `invalid` if CNB_REGISTRY_AUTH cannot be parsed
 */
export async function resolveKeychain(
  images: readonly string[],
  env: Env,
  warn: (message: string) => void = () => {},
): Promise<Keychain> {
  const auth = env[registryAuthVariable] ?? "";
  const places: Place[] = [
    { name: registryAuthVariable, state: auth === "" ? "not set" : "", keychain: parseRegistryAuth(auth, warn) },
  ];
  const usable = async <T>(read: () => T | Promise<T>): Promise<T | undefined> => {
    try {
      return await read();
    } catch (error) {
      if (!(error instanceof ImageError)) throw error;
      warn(error.message);
      return undefined;
    }
  };
  const unknownRegistries = (): Set<string> => {
    const { resolve } = inTurn(places);
    const unknown = references(images).filter(({ registry, repository }) => !resolve(registry, repository));
    return new Set(unknown.map(({ registry }) => registry));
  };
  const variable = env[dockerAuthVariable];
  const given = variable && (await usable(() => parseDockerConfig(variable, dockerAuthVariable)));
  if (given) places.push({ name: given.name, state: "", keychain: given.auths });
  const config = await usable(() => readDockerConfig(env));
  const usual = usualConfigPath(env);
  if (config !== undefined) {
    const held = new CredentialTable();
    for (const registry of unknownRegistries()) {
      const credentials = await usable(() => askHelper(config, registry, env));
      if (credentials !== undefined) held.set(registry, credentials);
    }
    places.push({ name: config.name, state: "", keychain: inTurn([{ keychain: held }, { keychain: config.auths }]) });
  } else if (usual !== undefined) {
    places.push({ name: usual, state: "none that can be read", keychain: anonymousKeychain });
  }
  const cloud = await cloudCredentials(unknownRegistries(), env, warn);
  const workload = {
    name: "this workload's identity",
    keychain: { resolve: (registry: string) => cloud.get(registry) },
  };
  const all = [...places, workload];
  return {
    ...inTurn(all),
    explainRefusal: (registry, repository) => {
      const source = all.find(({ keychain }) => keychain.resolve(registry, repository) !== undefined);
      if (source !== undefined) {
        return `it was shown the credentials for ${registry} from ${source.name}`;
      }
      const names = places.map(({ name, state }) => (state === "" ? name : `${name} (${state})`));
      return `there are no credentials for ${registry} in ${names.join(" or ")}`;
    },
  };
}

/** Where credentials may be. */
interface Place {
  /** What messages call it. */
  readonly name: string;
  /** What is to be said of it; empty if it is there. */
  readonly state: string;
  readonly keychain: Keychain;
}

/** Asks one after the other. */
function inTurn(places: readonly Pick<Place, "keychain">[]): Keychain {
  return {
    resolve: (registry, repository) => {
      for (const { keychain } of places) {
        const credentials = keychain.resolve(registry, repository);
        if (credentials !== undefined) return credentials;
      }
      return undefined;
    },
  };
}

function references(images: readonly string[]): Reference[] {
  const found: Reference[] = [];
  for (const image of images) {
    try {
      found.push(parseReference(image));
    } catch (error) {
      if (!(error instanceof ImageError)) throw error;
    }
  }
  return found;
}

function parseRegistryAuth(text: string, warn: (message: string) => void): CredentialTable {
  const table = new CredentialTable();
  if (text === "") return table;
  const where = `failed to parse ${registryAuthVariable} value`;
  const object = parseJsonObject(text, where);
  const reader = new JsonReader(object, where);
  for (const registry of Object.keys(object)) {
    const credentials = parseHeader(reader.text(registry) ?? "");
    // platforms hand over what they have, also for registries that this build does not use
    if (credentials === undefined)
      warn(`${where}: ${registry}: only the headers Basic, Bearer and X-Identity are known`);
    else table.set(registry, credentials);
  }
  return table;
}

function parseHeader(header: string): Credentials | undefined {
  const [, scheme = "", value = ""] = /^(basic|bearer|x-identity) (.*)$/i.exec(header) ?? [];
  switch (scheme.toLowerCase()) {
    case "basic":
      return { kind: "basic", encoded: value };
    case "bearer":
      return { kind: "bearer", token: value };
    case "x-identity":
      return { kind: "identity", token: value };
    default:
      return undefined;
  }
}
