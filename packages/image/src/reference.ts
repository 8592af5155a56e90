import { type Digest, isDigest } from "./digest.ts";
import { ImageError } from "./errors.ts";

/** The registry of names that name none; `docker.io` is another name for it. */
export const defaultRegistry = "index.docker.io";

const defaultTag = "latest";
const defaultNamespace = "library";

/**
 * The name of an image in full, as Docker and the OCI distribution spec read it: the default registry, the
 * `library/` namespace and the tag `latest` are filled in. Of a name with tag and digest, the digest counts.
 */
export class Reference {
  /** Host, with its port if one was given. */
  readonly registry: string;
  /** Path in the registry, for example `library/busybox`. */
  readonly repository: string;
  /** Tag or digest. */
  readonly identifier: string;

  constructor(registry: string, repository: string, identifier: string) {
    this.registry = registry;
    this.repository = repository;
    this.identifier = identifier;
  }

  /** For example `index.docker.io/library/busybox`. */
  get repositoryName(): string {
    return `${this.registry}/${this.repository}`;
  }

  /** For example `index.docker.io/library/busybox:latest`, or with `@` and the digest. */
  get name(): string {
    return `${this.repositoryName}${this.digest === undefined ? ":" : "@"}${this.identifier}`;
  }

  /** Undefined if the name is a tag. */
  get digest(): Digest | undefined {
    return isDigest(this.identifier) ? this.identifier : undefined;
  }
}

// The grammar of distribution/reference: components are joined by one dot, one or two underscores, or any dashes.
const component = "[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*";
const repositoryPattern = new RegExp(`^${component}(?:/${component})*$`);
const hostPattern = /^(?:[A-Za-z0-9](?:[A-Za-z0-9_.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])(?::(\d{1,5}))?$/;
const tagPattern = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;
const maxRepositoryLength = 255;

/**
 * Parses the name of an image: `[registry[:port]/]path[:tag][@digest]`.
 * @throws ImageError `invalid`, saying which part is wrong
 */
export function parseReference(text: string): Reference {
  const fail = (reason: string): never => {
    throw new ImageError("invalid", `could not parse reference: ${text}: ${reason}`);
  };
  const at = text.indexOf("@");
  const digest = at === -1 ? undefined : text.slice(at + 1);
  if (digest !== undefined && !isDigest(digest)) return fail("what follows @ must be sha256: and 64 hex digits");

  const named = at === -1 ? text : text.slice(0, at);
  const colon = named.lastIndexOf(":");
  const hasTag = colon > named.lastIndexOf("/");
  const tag = hasTag ? named.slice(colon + 1) : undefined;
  if (tag !== undefined && !tagPattern.test(tag)) {
    return fail("a tag has 1 to 128 letters, digits, dots, dashes and underscores");
  }

  const path = hasTag ? named.slice(0, colon) : named;
  const slash = path.indexOf("/");
  const first = path.slice(0, Math.max(slash, 0));
  const hasRegistry = first === "localhost" || /[.:]/.test(first);
  const registry = hasRegistry ? parseRegistry(first) : defaultRegistry;
  if (registry === undefined) return fail(`${JSON.stringify(first)} is not a host with an optional port`);

  const given = hasRegistry ? path.slice(slash + 1) : path;
  const repository = registry === defaultRegistry && !given.includes("/") ? `${defaultNamespace}/${given}` : given;
  if (given === "") return fail("there is no repository name");
  if (given !== given.toLowerCase()) return fail("repository name must be lowercase");
  if (!repositoryPattern.test(repository)) {
    return fail("a repository name has lowercase letters and digits, with single dots, dashes or underscores between");
  }
  if (repository.length > maxRepositoryLength) {
    return fail(`repository name must not be longer than ${maxRepositoryLength} characters`);
  }
  return new Reference(registry, repository, digest ?? tag ?? defaultTag);
}

/** A registry's host as references have it; undefined if it is none. */
function parseRegistry(host: string): string | undefined {
  const match = hostPattern.exec(host);
  if (match === null || Number(match[1] ?? 0) > 65535) return undefined;
  return host === "docker.io" ? defaultRegistry : host;
}

const privateAddress = /^(?:10\.\d+|192\.168|172\.(?:1[6-9]|2\d|3[01]))\.\d+\.\d+(?::\d{1,5})?$/;
const loopback = /^(?:localhost:\d+|127\.0\.0\.1(?::\d{1,5})?|\[::1\](?::\d{1,5})?|.*\.localhost(?::\d{1,5})?)$/;

/**
 * Whether a registry that does not answer over TLS may be asked over plain HTTP: those on this machine and in private
 * IPv4 networks may, as other tools of this field have it.
 */
export function mayBePlain(registry: string): boolean {
  return loopback.test(registry) || privateAddress.test(registry);
}
