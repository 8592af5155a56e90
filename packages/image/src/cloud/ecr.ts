import type { Credentials } from "../credentials.ts";
import { ImageError } from "../errors.ts";
import { type AwsRegion, findAwsKey } from "./aws-key.ts";
import { signedHeaders } from "./aws-signature.ts";
import { type CloudEnv, type CloudHttp, textAt } from "./cloud-http.ts";

const privateRegistry =
  /^(\d{12})\.dkr[.-]ecr(?:-fips)?\.([a-z0-9-]+)\.(amazonaws\.(?:com(?:\.cn)?|eu)|on\.(?:aws|amazonwebservices\.com\.cn)|sc2s\.sgov\.gov|c2s\.ic\.gov|cloud\.adc-e\.uk|csp\.hci\.ic\.gov)$/;
const publicRegistries = ["public.ecr.aws", "ecr-public.aws.com"];

/** The domain of the services beside a registry whose domain is for containers alone. */
const serviceDomains: Readonly<Record<string, string>> = {
  "on.aws": "amazonaws.com",
  "on.amazonwebservices.com.cn": "amazonaws.com.cn",
};

/** What is asked for a registry's credentials. */
interface TokenService {
  readonly region: AwsRegion;
  readonly host: string;
  /** The name that requests to it are signed for. */
  readonly service: string;
  readonly target: string;
  readonly body: string;
  readonly isPublic: boolean;
}

/** Whether a registry is one of Amazon's. */
export function isEcr(registry: string): boolean {
  return serviceFor(registry) !== undefined;
}

/**
 * Credentials for one of Amazon's registries, which it gives to who has a key of Amazon's.
 * @returns undefined if there is no key
 * @throws ImageError if the key is refused, or nobody answers
 */
export async function ecrCredentials(
  registry: string,
  env: CloudEnv,
  http: CloudHttp,
): Promise<Credentials | undefined> {
  const asked = serviceFor(registry);
  if (asked === undefined) return undefined;
  // Anybody may read the public registry: that is not worth a wait.
  const key = await findAwsKey(env, http, asked.region, !asked.isPublic);
  if (key === undefined) return undefined;
  const url = new URL(`https://${asked.host}/`);
  const body = Buffer.from(asked.body);
  const headers = { "content-type": "application/x-amz-json-1.1", "x-amz-target": asked.target };
  const scope = { region: asked.region.name, service: asked.service };
  const signed = signedHeaders({ method: "POST", url, headers, body }, key, scope, new Date());
  const answer = await http.ask({ method: "POST", url, headers: signed, body });
  const encoded =
    textAt(answer, "authorizationData", 0, "authorizationToken") ??
    textAt(answer, "authorizationData", "authorizationToken");
  if (encoded === undefined) throw new ImageError("invalid", `${url.host}: there is no token in the answer`);
  return { kind: "basic", encoded };
}

function serviceFor(registry: string): TokenService | undefined {
  if (publicRegistries.includes(registry)) {
    return {
      region: { name: "us-east-1", domain: "amazonaws.com" },
      host: "api.ecr-public.us-east-1.amazonaws.com",
      service: "ecr-public",
      target: "SpencerFrontendService.GetAuthorizationToken",
      body: "{}",
      isPublic: true,
    };
  }
  const [, account, name, suffix] = privateRegistry.exec(registry) ?? [];
  if (account === undefined || name === undefined || suffix === undefined) return undefined;
  const domain = serviceDomains[suffix] ?? suffix;
  return {
    region: { name, domain },
    host: `api.ecr.${name}.${domain}`,
    service: "ecr",
    target: "AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken",
    body: JSON.stringify({ registryIds: [account] }),
    isPublic: false,
  };
}
