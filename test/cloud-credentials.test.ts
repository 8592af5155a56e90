import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { type AddressInfo, connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { resolveKeychain } from "../packages/image/src/index.ts";
import { makeCertificates } from "./harness/certificates.ts";
import { requireServer } from "./harness/require-server.ts";

const ECR = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";
const ACR = "team.azurecr.io";
const HOSTS = [
  "api.ecr.eu-west-1.amazonaws.com",
  "api.ecr.cn-north-1.amazonaws.com.cn",
  "api.ecr-public.us-east-1.amazonaws.com",
  "sts.eu-west-1.amazonaws.com",
  "login.microsoftonline.com",
  ACR,
];

const base64 = (text: string) => Buffer.from(text).toString("base64");

interface Asked {
  /** `METHOD host/path` */
  what: string;
  headers: IncomingMessage["headers"];
  body: string;
}

describe.runIf(requireServer("openssl"))("credentials that clouds give to their workloads", () => {
  let dir: string;
  let proxy: Server;
  let clouds: Server;
  let env: Record<string, string>;
  /** What the clouds' services were asked, through the proxy, and what they answer: status and body by `what`. */
  let asked: Asked[] = [];
  let answers: Record<string, [number, string]> = {};

  async function answer(request: IncomingMessage): Promise<[number, string]> {
    let body = "";
    for await (const chunk of request) body += chunk;
    const what = `${request.method} ${request.headers.host}${request.url}`;
    asked.push({ what, headers: request.headers, body });
    return answers[what] ?? [404, ""];
  }

  const listen = async (server: Server) => {
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return (server.address() as AddressInfo).port;
  };

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), "clouds-"));
    const { ca, certificate, key } = await makeCertificates(dir, HOSTS);
    const pem = { cert: await readFile(certificate), key: await readFile(key) };
    clouds = createTlsServer(pem, async (request, response) => {
      const [status, body] = await answer(request);
      response.writeHead(status).end(body);
    });
    const port = await listen(clouds);
    // Also the machine's metadata service, which is asked directly.
    proxy = createServer(async (request, response) => {
      const [status, body] = await answer(request);
      response.writeHead(status).end(body);
    });
    proxy.on("connect", (_, client) => {
      const server = connect(port, "127.0.0.1", () => {
        client.write("HTTP/1.1 200 OK\r\n\r\n");
        server.pipe(client);
        client.pipe(server);
      });
      for (const end of [client, server]) end.on("error", () => end.destroy());
    });
    const proxyPort = await listen(proxy);
    env = {
      HTTPS_PROXY: `http://127.0.0.1:${proxyPort}`,
      SSL_CERT_FILE: ca,
      HOME: dir,
      AWS_EC2_METADATA_SERVICE_ENDPOINT: `http://127.0.0.1:${proxyPort}`,
    };
  });

  afterAll(async () => {
    for (const server of [proxy, clouds]) {
      server.closeAllConnections();
      server.close();
    }
    await rm(dir, { recursive: true, force: true });
  });

  beforeEach(() => {
    asked = [];
    const ecr = { authorizationData: [{ authorizationToken: base64("AWS:ecr"), proxyEndpoint: `https://${ECR}` }] };
    const ecrPublic = { authorizationData: { authorizationToken: base64("AWS:public") } };
    answers = {
      "POST api.ecr.eu-west-1.amazonaws.com/": [200, JSON.stringify(ecr)],
      "POST api.ecr.cn-north-1.amazonaws.com.cn/": [200, JSON.stringify(ecr)],
      "POST api.ecr-public.us-east-1.amazonaws.com/": [200, JSON.stringify(ecrPublic)],
    };
  });

  async function credentialsFor(registry: string, more: Record<string, string>, warnings: string[] = []) {
    const keychain = await resolveKeychain([`${registry}/app`], { ...env, ...more }, (text) => warnings.push(text));
    return keychain.resolve(registry, "app");
  }

  const signer = () => /Credential=([^/]+\/\d{8}\/[^,]+)/.exec(asked.at(-1)?.headers.authorization ?? "")?.[1];
  const today = () => new Date().toISOString().slice(0, 10).replaceAll("-", "");
  const keys = { AWS_ACCESS_KEY_ID: "AKID", AWS_SECRET_ACCESS_KEY: "secret" };

  it.each([
    [ECR, "AWS:ecr", "eu-west-1/ecr", '{"registryIds":["123456789012"]}'],
    [
      "210987654321.dkr.ecr.cn-north-1.amazonaws.com.cn",
      "AWS:ecr",
      "cn-north-1/ecr",
      '{"registryIds":["210987654321"]}',
    ],
    ["public.ecr.aws", "AWS:public", "us-east-1/ecr-public", "{}"],
  ])("Amazon's %s asks for a signature", async (registry, account, scope, body) => {
    const credentials = await credentialsFor(registry, { ...keys, AWS_SESSION_TOKEN: "session" });
    expect(credentials).toEqual({ kind: "basic", encoded: base64(account) });
    expect(asked).toHaveLength(1);
    expect(asked[0]?.body).toBe(body);
    expect(asked[0]?.headers["x-amz-security-token"]).toBe("session");
    expect(signer()).toBe(`AKID/${today()}/${scope}/aws4_request`);
  });

  it("a key is found in a profile", async () => {
    const credentials = join(dir, "aws-credentials");
    const section = (name: string, id: string) =>
      `[${name}]\n# a comment\naws_access_key_id = ${id}\naws_secret_access_key=s\n`;
    await writeFile(credentials, section("default", "DEFAULT") + section("team", "TEAM"));
    const file = { AWS_SHARED_CREDENTIALS_FILE: credentials };
    await credentialsFor(ECR, file);
    expect(signer()).toMatch(/^DEFAULT\//);
    await credentialsFor(ECR, { ...file, AWS_PROFILE: "team" });
    expect(signer()).toMatch(/^TEAM\//);
    await writeFile(credentials, section("profile other", "OTHER"));
    await credentialsFor(ECR, { AWS_CONFIG_FILE: credentials, AWS_PROFILE: "other" });
    expect(signer()).toMatch(/^OTHER\//);
  });

  it("a service account's identity is exchanged for a key", async () => {
    const token = join(dir, "token");
    await writeFile(token, "the identity\n");
    const fields = "<AccessKeyId>ROLE</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken>";
    answers["POST sts.eu-west-1.amazonaws.com/"] = [200, `<Response><Credentials>${fields}</Credentials></Response>`];
    const identity = { AWS_WEB_IDENTITY_TOKEN_FILE: token, AWS_ROLE_ARN: "arn:aws:iam::1:role/push" };
    expect(await credentialsFor(ECR, identity)).toBeDefined();
    expect(signer()).toMatch(/^ROLE\//);
    const form = new URLSearchParams(asked[0]?.body);
    expect(form.get("WebIdentityToken")).toBe("the identity");
    expect(form.get("RoleArn")).toBe("arn:aws:iam::1:role/push");

    answers["POST sts.eu-west-1.amazonaws.com/"] = [403, "<Error>the identity</Error>"];
    const warnings: string[] = [];
    expect(await credentialsFor(ECR, identity, warnings)).toBeUndefined();
    expect(warnings).toEqual([
      `credentials for ${ECR} cannot be had: POST https://sts.eu-west-1.amazonaws.com/: unexpected status code 403`,
    ]);
  });

  it("a key is found in the container's and the machine's metadata", async () => {
    const host = new URL(env.HTTPS_PROXY ?? "").host;
    const key = (id: string) => JSON.stringify({ AccessKeyId: id, SecretAccessKey: "s", Token: "t" });
    answers[`GET ${host}/container`] = [200, key("POD")];
    await credentialsFor(ECR, {
      AWS_CONTAINER_CREDENTIALS_FULL_URI: `http://${host}/container`,
      AWS_CONTAINER_AUTHORIZATION_TOKEN: "pod token",
    });
    expect(asked[0]?.headers.authorization).toBe("pod token");
    expect(signer()).toMatch(/^POD\//);

    asked = [];
    await credentialsFor(ECR, { AWS_CONTAINER_CREDENTIALS_FULL_URI: "http://elsewhere.example/container" });
    expect(asked.map(({ what }) => what)).toEqual([`PUT ${host}/latest/api/token`]);

    const roles = "/latest/meta-data/iam/security-credentials/";
    answers[`PUT ${host}/latest/api/token`] = [200, "session"];
    answers[`GET ${host}${roles}`] = [200, "builder\n"];
    answers[`GET ${host}${roles}builder`] = [200, key("MACHINE")];
    expect(await credentialsFor(ECR, {})).toBeDefined();
    expect(signer()).toMatch(/^MACHINE\//);
    asked = [];
    expect(await credentialsFor(ECR, { AWS_EC2_METADATA_DISABLED: "true" })).toBeUndefined();
    expect(await credentialsFor(ECR, { ...keys, CNB_REGISTRY_AUTH_KEYCHAIN_SKIP_AMAZON: "true" })).toBeUndefined();
    expect(await credentialsFor("registry.example", keys)).toBeUndefined();
    expect(asked).toEqual([]);
  });

  it("Azure's registry exchanges a service principal's or a workload's token", async () => {
    const login = "POST login.microsoftonline.com/tenant/oauth2/token?api-version=1.0";
    answers[login] = [200, '{"access_token":"access"}'];
    answers[`POST ${ACR}/oauth2/exchange`] = [200, '{"refresh_token":"refresh"}'];
    const identity = { AZURE_TENANT_ID: "tenant", AZURE_CLIENT_ID: "client" };
    const forms = () => asked.map(({ body }) => Object.fromEntries(new URLSearchParams(body)));

    expect(await credentialsFor(ACR, { ...identity, AZURE_CLIENT_SECRET: "secret" })).toEqual({
      kind: "identity",
      token: "refresh",
    });
    const resource = "https://management.azure.com/";
    expect(forms()).toEqual([
      { grant_type: "client_credentials", client_id: "client", client_secret: "secret", resource },
      { grant_type: "access_token", service: ACR, tenant: "tenant", access_token: "access" },
    ]);

    asked = [];
    const file = join(dir, "federated");
    await writeFile(file, "assertion");
    expect(await credentialsFor(ACR, { ...identity, AZURE_FEDERATED_TOKEN_FILE: file })).toBeDefined();
    expect(forms()[0]).toMatchObject({ client_assertion: "assertion" });

    asked = [];
    const skipped = { ...identity, AZURE_CLIENT_SECRET: "secret", CNB_REGISTRY_AUTH_KEYCHAIN_SKIP_AZURE: "true" };
    expect(await credentialsFor(ACR, skipped)).toBeUndefined();
    const provided = { ...identity, AZURE_CLIENT_SECRET: "secret", CNB_REGISTRY_AUTH: `{"${ACR}":"Bearer mine"}` };
    expect(await credentialsFor(ACR, provided)).toEqual({ kind: "bearer", token: "mine" });
    expect(asked).toEqual([]);

    answers[login] = [401, ""];
    const warnings: string[] = [];
    expect(await credentialsFor(ACR, { ...identity, AZURE_CLIENT_SECRET: "wrong" }, warnings)).toBeUndefined();
    expect(warnings.join()).toMatch(/^credentials for team\.azurecr\.io cannot be had: .*401$/);
    expect(warnings.join()).not.toContain("wrong");
  });
});
