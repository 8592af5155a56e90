import { parseReference } from "@lifecycle/image";
import { withoutSecrets } from "./without-secrets.ts";

/** Where a buildpack comes from. */
export type Locator =
  /** All of the builder's order. */
  | { readonly kind: "builder-order" }
  /** A buildpack of the builder. */
  | { readonly kind: "builder"; readonly id: string; readonly version: string }
  /** A buildpack registry; an empty version is the newest. */
  | { readonly kind: "registry"; readonly namespace: string; readonly name: string; readonly version: string }
  /** A buildpackage in an image registry. */
  | { readonly kind: "image"; readonly name: string }
  /** A directory or archive; relative paths are relative to the descriptor. */
  | { readonly kind: "path"; readonly path: string }
  | { readonly kind: "url"; readonly url: URL; readonly sha256: string | undefined };

/** What a locator without a scheme may be. */
export interface LocatorContext {
  /** Whether the builder has a buildpack; of any version if the version is empty. */
  isInBuilder(id: string, version: string): boolean;
  /** Whether a path leads to something, relative to the descriptor. */
  exists(path: string): boolean;
}

const semver = String.raw`(?:0|[1-9]\d*)\.(?:0|[1-9]\d*)\.(?:0|[1-9]\d*)(?:-[0-9A-Za-z.-]+)?(?:\+[0-9A-Za-z.-]+)?`;
const registryPattern = new RegExp(`^[a-z0-9.-]+/[a-z0-9.-]+(?:@${semver})?$`);

/**
 * Tells what a buildpack's `uri`, or `<id>[@<version>]`, means (RFC "Buildpack URIs"). Without a scheme it is, in this
 * order: a path that exists, a buildpack of the builder, one of the buildpack registry, an image.
 *
 * @throws Error saying what is wrong with it
 */
export function parseLocator(text: string, context: LocatorContext): Locator {
  if (text === "from=builder" || text === "urn:cnb:builder") return { kind: "builder-order" };
  const fromBuilder = /^(?:urn:cnb:builder|from=builder):(.*)$/s.exec(text)?.[1];
  if (fromBuilder !== undefined) {
    const [id, version] = splitVersion(fromBuilder);
    if (!context.isInBuilder(id, version)) throw new Error(`the builder has no buildpack '${fromBuilder}'`);
    return { kind: "builder", id, version };
  }
  const fromRegistry = /^urn:cnb:registry:(.*)$/s.exec(text)?.[1];
  if (fromRegistry !== undefined) return registryLocator(fromRegistry);
  return /^.+?:\//.test(text) ? parseUri(text) : parseNaked(text, context);
}

function parseUri(text: string): Locator {
  const image = /^docker:\/{1,3}(.*)$/s.exec(text)?.[1];
  if (image !== undefined) {
    parseReference(image);
    return { kind: "image", name: image };
  }
  if (!URL.canParse(text)) throw new Error(`${JSON.stringify(withoutSecrets(text))} is no URI`);
  const url = new URL(text);
  const [, digest] = /^#sha256=(.*)$/s.exec(url.hash) ?? [];
  if (digest !== undefined && !/^[0-9a-f]{64}$/i.test(digest)) {
    throw new Error(`'#sha256=${digest}' must have 64 hexadecimal digits`);
  }
  url.hash = "";
  switch (url.protocol) {
    case "http:":
    case "https:":
      return { kind: "url", url, sha256: digest?.toLowerCase() };
    case "file:":
      if (url.host !== "") throw new Error(`${JSON.stringify(text)} names a host; file: URIs begin with file:///`);
      return { kind: "path", path: decodeURIComponent(url.pathname) };
    default:
      throw new Error(`the scheme ${JSON.stringify(url.protocol)} is not supported; use file, http, https or docker`);
  }
}

function parseNaked(text: string, context: LocatorContext): Locator {
  if (context.exists(text)) return { kind: "path", path: text };
  // It would be looked up in the buildpack registry, since namespaces may consist of dots.
  if (/^\.\.?\//.test(text)) throw new Error(`there is no file or directory ${JSON.stringify(text)}`);
  const [id, version] = splitVersion(text);
  if (context.isInBuilder(id, version)) return { kind: "builder", id, version };
  if (registryPattern.test(text)) return registryLocator(text);
  try {
    parseReference(text);
  } catch {
    const places = "a path, a buildpack of the builder or of a registry, nor an image";
    throw new Error(`${JSON.stringify(text)} is not ${places}`);
  }
  return { kind: "image", name: text };
}

function registryLocator(text: string): Locator {
  const [id, version] = splitVersion(text);
  const [namespace = "", name = "", ...more] = id.split("/");
  if (namespace === "" || name === "" || more.length > 0) {
    throw new Error(`${JSON.stringify(id)} cannot be in a buildpack registry, where IDs are <namespace>/<name>`);
  }
  return { kind: "registry", namespace, name, version };
}

/** `<id>[@<version>]`; "latest" is no version but the newest. */
function splitVersion(text: string): [id: string, version: string] {
  const [id = "", version = "", ...more] = text.split("@");
  if (more.length > 0) return [text, ""];
  return [id, version === "latest" ? "" : version];
}
