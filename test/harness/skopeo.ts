import { createHash } from "node:crypto";
import type { Registry } from "./registry.ts";
import { mustRun } from "./run.ts";

/** A descriptor of the OCI image specification. */
export interface Descriptor {
  mediaType: string;
  digest: string;
  /** Bytes. */
  size: number;
}

/** An image's manifest: the part of it that tests look at. */
export interface Manifest {
  schemaVersion: number;
  mediaType?: string;
  config: Descriptor;
  layers: Descriptor[];
}

/** An image's configuration: the part of it that tests look at. */
export interface ImageConfig {
  created?: string;
  os: string;
  architecture: string;
  variant?: string;
  config: {
    User?: string;
    Env?: string[];
    Entrypoint?: string[];
    Cmd?: string[];
    WorkingDir?: string;
    Labels?: Record<string, string>;
  };
  rootfs: { diff_ids: string[] };
  history?: { created?: string; author?: string; created_by?: string; comment?: string; empty_layer?: boolean }[];
}

/** What skopeo reads of an image. */
export interface InspectedImage {
  /** Digest of the manifest: `sha256:…`. */
  digest: string;
  manifest: Manifest;
  config: ImageConfig;
}

/**
 * Reads an image's manifest and configuration with skopeo.
 *
 * @param location a reference of skopeo's, as `oci:<directory>` or `docker://<host>/<name>:<tag>`
 * @param registry the registry of a `docker://` location
 */
export async function inspectImage(location: string, registry?: Registry): Promise<InspectedImage> {
  const inspect = (...flags: string[]) => mustRun("skopeo", ["inspect", ...access("", registry), ...flags, location]);
  const raw = await inspect("--raw");
  const manifest: Manifest = JSON.parse(raw);
  const config: ImageConfig = JSON.parse(await inspect("--config", "--raw"));
  return { digest: `sha256:${createHash("sha256").update(raw).digest("hex")}`, manifest, config };
}

/**
 * Copies an image with skopeo, which verifies every digest, its manifest unchanged.
 *
 * @param registries those of the `docker://` locations
 */
export async function copyImage(
  from: string,
  to: string,
  registries: { from?: Registry; to?: Registry } = {},
): Promise<void> {
  const flags = [...access("src-", registries.from), ...access("dest-", registries.to), "--preserve-digests"];
  await mustRun("skopeo", ["copy", "--quiet", "--insecure-policy", ...flags, from, to]);
}

/** The flags with which skopeo reaches a registry. */
function access(side: "" | "src-" | "dest-", registry: Registry | undefined): string[] {
  if (registry === undefined) return [];
  const { account, certificatesDirectory } = registry;
  return [
    ...(certificatesDirectory ? [`--${side}cert-dir`, certificatesDirectory] : [`--${side}tls-verify=false`]),
    ...(account ? [`--${side}creds`, `${account.username}:${account.password}`] : [`--${side}no-creds`]),
  ];
}
