import { join } from "node:path";
import type { AwsKey } from "./aws-signature.ts";
import { type CloudEnv, type CloudHttp, formRequest, readText, textAt } from "./cloud-http.ts";

/** Containers' metadata services that may be asked over plain HTTP. */
const containerHosts = ["169.254.170.2", "169.254.170.23", "[fd00:ec2::23]", "localhost", "127.0.0.1", "[::1]"];

/** How Amazon's domain is called in a region. */
export interface AwsRegion {
  readonly name: string;
  /** Such as `amazonaws.com`. */
  readonly domain: string;
}

/**
 * Finds the key that Amazon's own programs would use: in variables, by a web identity (EKS service accounts), in the
 * profile's files, from the container's or the machine's metadata service.
 * @param onMachine whether the machine's own metadata service is worth the wait, where there is none
 * @returns undefined if there is none
 * @throws ImageError if there is a web identity that cannot be exchanged
 */
export async function findAwsKey(
  env: CloudEnv,
  http: CloudHttp,
  region: AwsRegion,
  onMachine: boolean,
): Promise<AwsKey | undefined> {
  return (
    keyOf(env.AWS_ACCESS_KEY_ID, env.AWS_SECRET_ACCESS_KEY, env.AWS_SESSION_TOKEN) ??
    (await keyOfWebIdentity(env, http, region)) ??
    (await keyOfProfile(env)) ??
    (await keyOfContainer(env, http)) ??
    (onMachine ? await keyOfMachine(env, http) : undefined)
  );
}

function keyOf(id: string | undefined, secret: string | undefined, sessionToken?: string): AwsKey | undefined {
  return id && secret ? { id, secret, sessionToken } : undefined;
}

async function keyOfWebIdentity(env: CloudEnv, http: CloudHttp, { name, domain }: AwsRegion) {
  const token = await readText(env.AWS_WEB_IDENTITY_TOKEN_FILE);
  if (token === undefined || !env.AWS_ROLE_ARN) return undefined;
  const request = formRequest(new URL(`https://sts.${name}.${domain}/`), {
    Action: "AssumeRoleWithWebIdentity",
    Version: "2011-06-15",
    RoleArn: env.AWS_ROLE_ARN,
    RoleSessionName: env.AWS_ROLE_SESSION_NAME || "cnb-lifecycle",
    WebIdentityToken: token,
  });
  const answer = await http.ask(request);
  const field = (tag: string) => new RegExp(`<${tag}>([^<]+)</${tag}>`).exec(answer)?.[1];
  return keyOf(field("AccessKeyId"), field("SecretAccessKey"), field("SessionToken"));
}

async function keyOfProfile(env: CloudEnv): Promise<AwsKey | undefined> {
  const home = env.HOME && join(env.HOME, ".aws");
  const profile = env.AWS_PROFILE || "default";
  const places = [
    [env.AWS_SHARED_CREDENTIALS_FILE || (home && join(home, "credentials")), profile],
    [env.AWS_CONFIG_FILE || (home && join(home, "config")), profile === "default" ? profile : `profile ${profile}`],
  ] as const;
  for (const [path, section] of places) {
    const fields = sectionOf((await readText(path)) ?? "", section);
    const key = keyOf(
      fields.get("aws_access_key_id"),
      fields.get("aws_secret_access_key"),
      fields.get("aws_session_token"),
    );
    if (key !== undefined) return key;
  }
  return undefined;
}

function sectionOf(ini: string, section: string): Map<string, string> {
  const fields = new Map<string, string>();
  let current = "";
  for (const line of ini.split("\n")) {
    const [, heading] = /^\s*\[\s*([^\]]*?)\s*\]/.exec(line) ?? [];
    if (heading !== undefined) current = heading;
    const [, name = "", value = ""] = /^([^#;\s=]+)\s*=\s*(.*?)\s*$/.exec(line) ?? [];
    if (current === section && name !== "") fields.set(name, value);
  }
  return fields;
}

async function keyOfContainer(env: CloudEnv, http: CloudHttp): Promise<AwsKey | undefined> {
  const relative = env.AWS_CONTAINER_CREDENTIALS_RELATIVE_URI;
  const address = relative ? `http://169.254.170.2${relative}` : env.AWS_CONTAINER_CREDENTIALS_FULL_URI;
  if (!address || !URL.canParse(address)) return undefined;
  const url = new URL(address);
  if (url.protocol !== "https:" && !containerHosts.includes(url.hostname)) return undefined;
  const token = (await readText(env.AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE)) ?? env.AWS_CONTAINER_AUTHORIZATION_TOKEN;
  return keyInJson(await http.askMetadata({ method: "GET", url, ...(token && { headers: { authorization: token } }) }));
}

async function keyOfMachine(env: CloudEnv, http: CloudHttp): Promise<AwsKey | undefined> {
  if (env.AWS_EC2_METADATA_DISABLED?.toLowerCase() === "true") return undefined;
  const root = env.AWS_EC2_METADATA_SERVICE_ENDPOINT || "http://169.254.169.254";
  if (!URL.canParse(root)) return undefined;
  const at = (path: string) => new URL(`/latest/${path}`, root);
  const token = await http.askMetadata({
    method: "PUT",
    url: at("api/token"),
    headers: { "x-aws-ec2-metadata-token-ttl-seconds": "300", "content-length": "0" },
  });
  if (token === undefined) return undefined;
  const get = (url: URL) => http.askMetadata({ method: "GET", url, headers: { "x-aws-ec2-metadata-token": token } });
  const roles = at("meta-data/iam/security-credentials/");
  const role = (await get(roles))?.split("\n")[0]?.trim();
  return role ? keyInJson(await get(new URL(encodeURIComponent(role), roles))) : undefined;
}

function keyInJson(json: string | undefined): AwsKey | undefined {
  return keyOf(textAt(json, "AccessKeyId"), textAt(json, "SecretAccessKey"), textAt(json, "Token"));
}
