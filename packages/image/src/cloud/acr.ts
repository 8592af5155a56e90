import type { Credentials } from "../credentials.ts";
import { ImageError } from "../errors.ts";
import { type CloudEnv, type CloudHttp, formRequest, readText, textAt } from "./cloud-http.ts";

const azureRegistry = /^[a-z0-9-]+(?:\.[a-z0-9-]+)*\.azurecr\.(?:io|cn|de|us)$/;

/** Where Azure's clouds log in, and what they ask to be logged in for. */
const clouds: Readonly<Record<string, { readonly login: string; readonly resource: string }>> = {
  AZURECLOUD: { login: "login.microsoftonline.com", resource: "https://management.azure.com/" },
  AZUREPUBLICCLOUD: { login: "login.microsoftonline.com", resource: "https://management.azure.com/" },
  AZURECHINACLOUD: { login: "login.chinacloudapi.cn", resource: "https://management.chinacloudapi.cn/" },
  AZUREGERMANCLOUD: { login: "login.microsoftonline.de", resource: "https://management.microsoftazure.de/" },
  AZUREUSGOVERNMENTCLOUD: { login: "login.microsoftonline.us", resource: "https://management.usgovcloudapi.net/" },
};

const metadataService = "http://169.254.169.254/metadata/identity/oauth2/token";

/** Whether a registry is one of Azure's. */
export function isAcr(registry: string): boolean {
  return azureRegistry.test(registry);
}

/**
 * Credentials for one of Azure's registries: a token for a service principal, a federated identity (AKS workload
 * identity), or the machine's managed identity, exchanged for one that the registry's token server takes.
 * @returns undefined if there is no identity
 * @throws ImageError if the identity is refused, or nobody answers
 */
export async function acrCredentials(
  registry: string,
  env: CloudEnv,
  http: CloudHttp,
): Promise<Credentials | undefined> {
  if (!isAcr(registry)) return undefined;
  const accessToken = await findAccessToken(env, http);
  if (accessToken === undefined) return undefined;
  const exchange = formRequest(new URL(`https://${registry}/oauth2/exchange`), {
    grant_type: "access_token",
    service: registry,
    access_token: accessToken,
    ...(env.AZURE_TENANT_ID && { tenant: env.AZURE_TENANT_ID }),
  });
  const token = textAt(await http.ask(exchange), "refresh_token");
  if (token === undefined) throw new ImageError("invalid", `${registry}: there is no token in the answer`);
  return { kind: "identity", token };
}

async function findAccessToken(env: CloudEnv, http: CloudHttp): Promise<string | undefined> {
  const cloud = clouds[(env.AZURE_ENVIRONMENT || "AzurePublicCloud").toUpperCase()];
  if (cloud === undefined) {
    throw new ImageError("invalid", `AZURE_ENVIRONMENT names no cloud: ${JSON.stringify(env.AZURE_ENVIRONMENT)}`);
  }
  const { AZURE_TENANT_ID: tenant, AZURE_CLIENT_ID: client, AZURE_CLIENT_SECRET: secret } = env;
  const resource = env.AZURE_AD_RESOURCE || cloud.resource;
  if (tenant && client) {
    const assertion = env.AZURE_FEDERATED_TOKEN || (await readText(env.AZURE_FEDERATED_TOKEN_FILE));
    const proof = secret ? { client_secret: secret } : assertion && federated(assertion);
    if (proof) {
      const url = new URL(`https://${cloud.login}/${encodeURIComponent(tenant)}/oauth2/token?api-version=1.0`);
      const form = formRequest(url, { grant_type: "client_credentials", client_id: client, resource, ...proof });
      return textAt(await http.ask(form), "access_token");
    }
  }
  const url = new URL(metadataService);
  url.searchParams.set("api-version", "2018-02-01");
  url.searchParams.set("resource", resource);
  if (client) url.searchParams.set("client_id", client);
  return textAt(await http.askMetadata({ method: "GET", url, headers: { metadata: "true" } }), "access_token");
}

/** What proves an identity that another party vouches for (RFC 7523). */
function federated(assertion: string): Readonly<Record<string, string>> {
  return {
    client_assertion_type: "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
    client_assertion: assertion,
  };
}
