import type { ImageConfig } from "./config.ts";
import type { DescriptorPlatform } from "./descriptor.ts";

/** What an image runs on, in the words of Go's GOOS and GOARCH (OCI image spec, image-index.md). */
export interface Platform {
  readonly os: string;
  readonly architecture: string;
  readonly variant?: string;
  readonly osVersion?: string;
}

const goArchitectures: Readonly<Record<string, string>> = { x64: "amd64", ia32: "386", ppc64: "ppc64le" };

/**
 * The platform of images for a machine: linux, as lifecycles run nowhere else, on its architecture.
 * @param architecture as Node names it; by default this machine's
 */
export function linuxPlatform(architecture: string = process.arch): Platform {
  return { os: "linux", architecture: goArchitectures[architecture] ?? architecture };
}

/** The platform that an image's config names. */
export function platformOf({ os, architecture, variant, "os.version": osVersion }: ImageConfig): Platform {
  return { os, architecture, ...(variant && { variant }), ...(osVersion && { osVersion }) };
}

/** What an index entry is for that does not say it, as Docker and Go's libraries have it. */
const impliedPlatform: DescriptorPlatform = { os: "linux", architecture: "amd64" };

/** Whether an index entry for `offered` may be used on `wanted`; what `wanted` leaves open, any entry satisfies. */
export function satisfies(offered: DescriptorPlatform | undefined, wanted: Platform): boolean {
  const { os, architecture, variant, "os.version": osVersion } = offered ?? impliedPlatform;
  return (
    os === wanted.os &&
    architecture === wanted.architecture &&
    (wanted.variant === undefined || variant === wanted.variant) &&
    (wanted.osVersion === undefined || osVersion === wanted.osVersion)
  );
}
