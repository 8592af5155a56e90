import { createHash, createHmac } from "node:crypto";

/** A key of Amazon's, for a user or for a role that was taken on for a while. */
export interface AwsKey {
  readonly id: string;
  readonly secret: string;
  /** Of a role's key. */
  readonly sessionToken?: string | undefined;
}

/** What is signed. */
export interface AwsRequest {
  readonly method: string;
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

const algorithm = "AWS4-HMAC-SHA256";

/**
 * The headers of a request with its signature (AWS Signature Version 4).
 * @param at when the request is sent
 */
export function signedHeaders(
  request: AwsRequest,
  key: AwsKey,
  { region, service }: { region: string; service: string },
  at: Date,
): Readonly<Record<string, string>> {
  const { method, url, body } = request;
  const time = at.toISOString().replace(/[-:]|\.\d{3}/g, "");
  const day = time.slice(0, 8);
  const headers: Record<string, string> = {
    ...request.headers,
    host: url.host,
    "x-amz-date": time,
    ...(key.sessionToken && { "x-amz-security-token": key.sessionToken }),
  };
  const names = Object.keys(headers).sort();
  const canonical = [
    method,
    url.pathname,
    [...url.searchParams]
      .map(([name, value]) => `${escaped(name)}=${escaped(value)}`)
      .sort()
      .join("&"),
    ...names.map((name) => `${name}:${headers[name]?.trim()}`),
    "",
    names.join(";"),
    sha256(body),
  ].join("\n");
  const scope = `${day}/${region}/${service}/aws4_request`;
  const signing = [day, region, service, "aws4_request"].reduce<Buffer>(hmac, Buffer.from(`AWS4${key.secret}`));
  const signature = hmac(signing, [algorithm, time, scope, sha256(canonical)].join("\n")).toString("hex");
  const authorization = `${algorithm} Credential=${key.id}/${scope}, SignedHeaders=${names.join(";")}, Signature=${signature}`;
  return { ...headers, authorization };
}

function escaped(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
}

function hmac(key: Buffer, text: string): Buffer {
  return createHmac("sha256", key).update(text).digest();
}

function sha256(data: Uint8Array | string): string {
  return createHash("sha256").update(data).digest("hex");
}
