import type { Credentials } from "../credentials.ts";
import { ImageError } from "../errors.ts";
import { parseJsonObject } from "../json-border.ts";
import type { Challenge } from "./challenge.ts";
import { discard, type HttpClient, type HttpRequest, type HttpResponse, readBody } from "./http.ts";
import { registryError } from "./registry-error.ts";

interface Token {
  readonly value: string;
  /** In milliseconds of the epoch. */
  readonly expires: number;
}

const maxTokenBody = 64 * 1024;

/** What the token protocol assumes of a token that does not say when it expires, in seconds. */
const defaultLifetime = 60;

const clientId = "cnb-lifecycle";

/** Answers one registry's challenge with one set of credentials; keeps its tokens until shortly before they expire. */
export class Authorizer {
  readonly #http: HttpClient;
  readonly #registry: URL;
  readonly #tokens = new Map<string, Promise<Token>>();
  readonly #credentials: Credentials | undefined;
  readonly #signal: AbortSignal | undefined;
  /** What the token server exchanges for tokens, if there is such a thing. */
  #identityToken: string | undefined;

  /**
   * @param registry the root of the registry's API
   * @param credentials undefined for anonymous access
   * @param signal ends the asking for tokens with its reason
   */
  constructor(http: HttpClient, registry: URL, credentials: Credentials | undefined, signal?: AbortSignal) {
    this.#http = http;
    this.#registry = registry;
    this.#credentials = credentials;
    this.#signal = signal;
    this.#identityToken = credentials?.kind === "identity" ? credentials.token : undefined;
  }

  /**
   * The Authorization header for a request to the registry itself.
   * @param challenge what the registry asked for; undefined if it asks for nothing
   * @param scopes such as `repository:library/busybox:pull`
   * @throws RegistryError if the token server does not give a token; ImageError `invalid` if it may not be asked
   */
  async header(challenge: Challenge | undefined, scopes: readonly string[]): Promise<string | undefined> {
    if (challenge === undefined) return undefined;
    if (this.#credentials?.kind === "bearer") return `Bearer ${this.#credentials.token}`;
    if (challenge.scheme === "basic") {
      return this.#credentials?.kind === "basic" ? `Basic ${this.#credentials.encoded}` : undefined;
    }
    const key = scopes.join(" ");
    const known = this.#tokens.get(key);
    const isOld = known !== undefined && (await known).expires <= Date.now();
    // Meanwhile another request may have asked for a new one.
    let token = isOld && this.#tokens.get(key) === known ? undefined : this.#tokens.get(key);
    if (token === undefined) {
      token = this.#fetchToken(challenge, scopes);
      this.#tokens.set(key, token);
      token.catch(() => this.#tokens.delete(key));
    }
    return `Bearer ${(await token).value}`;
  }

  /**
   * Forgets the token for `scopes` if the registry refused that very one; another request may have got a new one since.
   * @param authorization the header that was refused
   */
  async forgetToken(scopes: readonly string[], authorization: string | undefined): Promise<void> {
    const key = scopes.join(" ");
    const token = this.#tokens.get(key);
    const value = await token?.then(
      (known) => known.value,
      () => undefined,
    );
    if (this.#tokens.get(key) === token && authorization === `Bearer ${value}`) this.#tokens.delete(key);
  }

  async #fetchToken(challenge: Challenge, scopes: readonly string[]): Promise<Token> {
    const realm = this.#realm(challenge);
    const service = challenge.parameters.get("service");
    const asked = Date.now();
    let response: HttpResponse | undefined;
    if (this.#identityToken !== undefined) {
      const request = refreshRequest(realm, service, scopes, this.#identityToken);
      response = await this.#http.send({ ...request, signal: this.#signal });
      // Not every token server knows the exchange of identity tokens.
      if (response.status === 404 || response.status === 405) {
        discard(response);
        response = undefined;
      }
    }
    // Redirects of a token server are not followed: the request carries credentials.
    response ??= await this.#http.send(this.#tokenRequest(realm, service, scopes));
    if (response.status !== 200) throw await registryError(response);

    const answer = parseJsonObject(await readBody(response, maxTokenBody), `token from ${realm.origin}`);
    const value = answer.token || answer.access_token;
    if (typeof value !== "string") throw new ImageError("invalid", `${realm.origin}: there is no token in the answer`);
    if (typeof answer.refresh_token === "string" && answer.refresh_token !== "") {
      this.#identityToken = answer.refresh_token;
    }
    const lifetime =
      typeof answer.expires_in === "number" && answer.expires_in > 0 ? answer.expires_in : defaultLifetime;
    // Ahead of time, so that a token does not expire on its way.
    return { value, expires: asked + lifetime * 1000 - Math.min(lifetime * 100, 10_000) };
  }

  #tokenRequest(realm: URL, service: string | undefined, scopes: readonly string[]): HttpRequest {
    const url = new URL(realm);
    if (service !== undefined) url.searchParams.set("service", service);
    for (const scope of scopes) url.searchParams.append("scope", scope);
    const authorization = this.#credentials?.kind === "basic" ? `Basic ${this.#credentials.encoded}` : undefined;
    return { method: "GET", url, signal: this.#signal, ...(authorization && { headers: { authorization } }) };
  }

  /** Credentials go where the realm says, so it must be a place where the registry's own could go. */
  #realm(challenge: Challenge): URL {
    const text = challenge.parameters.get("realm") ?? "";
    const fail = (reason: string): never => {
      throw new ImageError(
        "invalid",
        `${this.#registry.host} asks for a token from ${JSON.stringify(text)}: ${reason}`,
      );
    };
    if (!URL.canParse(text)) return fail("not a URL");
    const realm = new URL(text);
    if (realm.protocol !== "https:" && realm.protocol !== "http:") return fail("only http and https are known");
    const plain = realm.protocol === "http:" && this.#registry.protocol === "https:";
    if (plain && !isLoopback(realm.hostname)) return fail("a registry on https must have its token server on https");
    if (isLinkLocal(realm.hostname)) return fail("link-local addresses belong to the machine's own services");
    return realm;
  }
}

function refreshRequest(
  realm: URL,
  service: string | undefined,
  scopes: readonly string[],
  token: string,
): HttpRequest {
  const form = new URLSearchParams({
    grant_type: "refresh_token",
    client_id: clientId,
    scope: scopes.join(" "),
    refresh_token: token,
    ...(service !== undefined && { service }),
  });
  return {
    method: "POST",
    url: realm,
    headers: { "content-type": "application/x-www-form-urlencoded" },
    body: Buffer.from(form.toString()),
  };
}

function isLoopback(host: string): boolean {
  return host === "localhost" || /^127\.\d+\.\d+\.\d+$/.test(host) || host === "[::1]";
}

/** Among them 169.254.169.254, where clouds hand out a machine's credentials. */
function isLinkLocal(host: string): boolean {
  return /^169\.254\.\d+\.\d+$/.test(host) || /^\[fe[89ab][0-9a-f]:/i.test(host);
}
