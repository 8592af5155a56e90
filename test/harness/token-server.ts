import { createPrivateKey, randomUUID, sign, X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createServer, type IncomingMessage } from "node:http";
import { isIP } from "node:net";

/** One request for a token, as the server saw it. */
export interface TokenRequest {
  method: string;
  /** The account the token was given to; undefined for an anonymous one. */
  account: string | undefined;
  /** `repository:name:pull,push`, as asked for. */
  scopes: string[];
}

/** A token server of the Docker registry protocol. */
export interface TokenServer {
  /** Where clients are sent for a token. */
  readonly realm: string;
  readonly requests: TokenRequest[];
  stop(): Promise<void>;
}

export interface TokenServerOptions {
  /** PEM files of the certificate that the registry trusts, and of its key. */
  certificate: string;
  key: string;
  issuer: string;
  service: string;
  /** Accounts by name, with their passwords. */
  accounts: Record<string, string>;
  /** Identity (refresh) tokens, with the account each stands for. */
  identityTokens: Record<string, string>;
  /** What a client without credentials may do. */
  anonymous: "nothing" | "pull";
  /** Seconds until a token expires. */
  lifetime: number;
}

/**
 * Starts a token server on 127.0.0.1: GET with basic authentication or none, and the OAuth2 POST with a password or an
 * identity token, as docs.docker.com describes for registries. Tokens are JWTs signed with ES256.
 */
export async function startTokenServer(options: TokenServerOptions): Promise<TokenServer> {
  const key = createPrivateKey(await readFile(options.key));
  const certificate = new X509Certificate(await readFile(options.certificate));
  const requests: TokenRequest[] = [];

  const server = createServer((request, response) => {
    answer(request).then(
      ([status, body]) => {
        response.writeHead(status, { "content-type": "application/json" });
        response.end(JSON.stringify(body));
      },
      (error: unknown) => {
        response.writeHead(500);
        response.end(String(error));
      },
    );
  });

  async function answer(request: IncomingMessage): Promise<[number, unknown]> {
    const url = new URL(request.url ?? "/", "http://127.0.0.1");
    const form = request.method === "POST" ? new URLSearchParams(await textOf(request)) : url.searchParams;
    const account = request.method === "POST" ? accountOfForm(form) : accountOfHeader(request.headers.authorization);
    if (account === "refused") return [401, { errors: [{ code: "UNAUTHORIZED", message: "wrong credentials" }] }];
    // A form may name several scopes in one value, separated by spaces.
    const scopes = form.getAll("scope").flatMap((scope) => scope.split(" "));
    requests.push({ method: request.method ?? "", account, scopes });
    const token = jwt(
      account ?? "",
      scopes.map((scope) => grant(scope, account)),
    );
    return [200, { token, access_token: token, expires_in: options.lifetime, issued_at: new Date().toISOString() }];
  }

  function accountOfHeader(authorization: string | undefined): string | undefined {
    if (authorization === undefined) return undefined;
    const [, encoded] = /^Basic (.+)$/.exec(authorization) ?? [];
    if (encoded === undefined) return "refused";
    const [, name, password] = /^([^:]*):(.*)$/s.exec(Buffer.from(encoded, "base64").toString()) ?? [];
    return name !== undefined && options.accounts[name] === password ? name : "refused";
  }

  function accountOfForm(form: URLSearchParams): string {
    if (form.get("grant_type") === "refresh_token") {
      return options.identityTokens[form.get("refresh_token") ?? ""] ?? "refused";
    }
    const name = form.get("username") ?? "";
    return options.accounts[name] !== undefined && options.accounts[name] === form.get("password") ? name : "refused";
  }

  function grant(scope: string, account: string | undefined) {
    const [, type, name, wanted] = /^([^:]+):(.+):([^:]*)$/.exec(scope) ?? [];
    const actions = (wanted ?? "").split(",").filter((action) => {
      return account !== undefined || (options.anonymous === "pull" && action === "pull");
    });
    return { type, name, actions };
  }

  function jwt(subject: string, access: unknown[]): string {
    const now = Math.floor(Date.now() / 1000);
    const header = { typ: "JWT", alg: "ES256", x5c: [certificate.raw.toString("base64")] };
    const claims = {
      iss: options.issuer,
      sub: subject,
      aud: options.service,
      exp: now + options.lifetime,
      nbf: now - 5,
      iat: now,
      jti: randomUUID(),
      access,
    };
    const content = [header, claims].map((part) => Buffer.from(JSON.stringify(part)).toString("base64url")).join(".");
    const signature = sign("sha256", Buffer.from(content), { key, dsaEncoding: "ieee-p1363" });
    return `${content}.${signature.toString("base64url")}`;
  }

  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string" || !isIP(address.address)) {
    throw new Error("the token server has no address");
  }
  return {
    realm: `http://127.0.0.1:${address.port}/token`,
    requests,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function textOf(request: IncomingMessage): Promise<string> {
  let text = "";
  for await (const chunk of request) text += chunk;
  return text;
}
