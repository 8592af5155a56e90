import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { Registry } from "./registry.ts";

const MANIFEST = "application/vnd.oci.image.manifest.v1+json";

interface Named {
  digest: string;
}

/**
 * Reads an image's manifest and all its blobs from a registry without tokens, byte by byte.
 * @param name repository and tag: `team/app:1`
 * @returns the digest of the manifest; undefined if there is no such image
 * @throws Error when a blob is missing or is not what its digest says
 */
export async function readWholeImage(registry: Registry, name: string): Promise<string | undefined> {
  const [repository, tag = "latest"] = name.split(":");
  const { username, password } = registry.account ?? {};
  const authorization = `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;
  const headers = { accept: MANIFEST, ...(username && { authorization }) };
  const get = (path: string) => fetch(`${registry.url}/v2/${repository}/${path}`, { headers });
  let response = await get(`manifests/${tag}`);
  // While it writes a tag's file, docker-registry answers so.
  for (let tries = 0; response.status === 500 && tries < 20; tries++) {
    await sleep(100);
    response = await get(`manifests/${tag}`);
  }
  if (response.status === 404) return undefined;
  if (!response.ok) throw new Error(`${name}: ${response.status}`);
  const bytes = Buffer.from(await response.arrayBuffer());
  const { config, layers }: { config: Named; layers: Named[] } = JSON.parse(bytes.toString());
  for (const { digest } of [config, ...layers]) {
    const blob = await get(`blobs/${digest}`);
    const found = blob.ok ? sha256(Buffer.from(await blob.arrayBuffer())) : `status ${blob.status}`;
    if (found !== digest) throw new Error(`${name}: blob ${digest}: ${found}`);
  }
  return sha256(bytes);
}

function sha256(bytes: Buffer): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}
