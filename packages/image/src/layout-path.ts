import { isAbsolute, join } from "node:path";
import { type Digest, isDigest } from "./digest.ts";
import { parseReference } from "./reference.ts";

/** Where an image lies among the layouts of a directory. */
export interface LayoutPlace {
  /** The layout's own directory, absolute. */
  readonly path: string;
  /** The manifest, if the name says which. */
  readonly digest: Digest | undefined;
  /** The reference's tag, if the name was a reference with one. */
  readonly tag: string | undefined;
}

/**
 * Finds the directory for a name (platform.md, "Map an image reference to a path in the layout directory"):
 * `<layout dir>/<registry>/<repository>/<tag>`, or `…/sha256/<hex>` for a digest. An identifier that a layout store
 * gave out, `<path>@<digest>`, or an absolute path names its directory itself.
 * @throws ImageError `invalid` if a relative name is no reference
 */
export function layoutPlace(layoutDir: string, name: string): LayoutPlace {
  if (isAbsolute(name)) {
    const at = name.lastIndexOf("@");
    const digest = name.slice(at + 1);
    if (at > 0 && isDigest(digest)) return { path: join(name.slice(0, at)), digest, tag: undefined };
    return { path: join(name), digest: undefined, tag: undefined };
  }
  const { registry, repository, identifier, digest } = parseReference(name);
  const path = join(layoutDir, registry, repository, ...identifier.split(":"));
  return { path, digest, tag: digest === undefined ? identifier : undefined };
}
