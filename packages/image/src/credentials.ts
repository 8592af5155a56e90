import { defaultRegistry } from "./reference.ts";

/** What a registry is shown to be let in. */
export type Credentials =
  /** A user's name and password; `encoded` is the base64 of `name:password`. */
  | { readonly kind: "basic"; readonly encoded: string }
  /** A token that the registry itself takes. */
  | { readonly kind: "bearer"; readonly token: string }
  /** A token that the registry's token server exchanges for one that the registry takes (OAuth2 refresh token). */
  | { readonly kind: "identity"; readonly token: string };

/** Where credentials come from. Asking it reads no files and starts no programs. */
export interface Keychain {
  /**
   * @param registry a reference's registry
   * @param repository a reference's path in that registry
   * @returns undefined for anonymous access
   */
  resolve(registry: string, repository: string): Credentials | undefined;
  /** What to say when the registry lets nobody in with what `resolve` gives: where that is from, or was looked for. */
  explainRefusal?(registry: string, repository: string): string;
}

/** Credentials of a name and a password. */
export function basicCredentials(username: string, password: string): Credentials {
  return { kind: "basic", encoded: Buffer.from(`${username}:${password}`).toString("base64") };
}

/** Knows nobody: all access is anonymous. */
export const anonymousKeychain: Keychain = { resolve: () => undefined };

const defaultRegistryAliases = ["docker.io", "registry-1.docker.io", defaultRegistry];

/**
 * Credentials by registry or by path in a registry, with keys as the many login programs write them: `ghcr.io`,
 * `https://ghcr.io/v2/`, `quay.io/team/app`, `https://index.docker.io/v1/`.
 */
export class CredentialTable implements Keychain {
  readonly #byRegistry = new Map<string, Map<string, Credentials>>();

  /** @param key a registry's host or URL, with or without a path */
  set(key: string, credentials: Credentials): void {
    const [host = "", ...path] = key.replace(/^https?:\/\//, "").split("/");
    const registry = defaultRegistryAliases.includes(host) ? defaultRegistry : host;
    const prefix = path.join("/").replace(/\/+$/, "");
    const paths = this.#byRegistry.get(registry) ?? new Map<string, Credentials>();
    paths.set(/^v[12]$/.test(prefix) ? "" : prefix, credentials);
    this.#byRegistry.set(registry, paths);
  }

  resolve(registry: string, repository: string): Credentials | undefined {
    const paths = this.#byRegistry.get(registry);
    if (paths === undefined) return undefined;
    for (let prefix = repository; prefix !== ""; prefix = prefix.slice(0, Math.max(prefix.lastIndexOf("/"), 0))) {
      const credentials = paths.get(prefix);
      if (credentials !== undefined) return credentials;
    }
    // Docker's own programs take a key's host and ignore its path, so a lone entry counts for the whole registry.
    return paths.get("") ?? (paths.size === 1 ? [...paths.values()][0] : undefined);
  }
}
