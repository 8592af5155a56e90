import { SBOM_MEDIA_TYPES } from "./sbom.mjs";

/**
 * lifecycle.toml (distribution.md, "Lifecycle"; RFC 11 for `[api]`, which platforms that know no better read).
 *
 * @typedef {{ supported: string[], deprecated: string[] }} Apis oldest first
 * @param {{ version: string, platform: Apis, buildpack: Apis }} lifecycle
 */
export function descriptor({ version, platform, buildpack }) {
  return `[apis]
[apis.buildpack]
  deprecated = ${list(buildpack.deprecated)}
  supported = ${list(buildpack.supported)}
[apis.platform]
  deprecated = ${list(platform.deprecated)}
  supported = ${list(platform.supported)}

[api]
  platform = ${JSON.stringify(platform.supported[0])}
  buildpack = ${JSON.stringify(buildpack.supported[0])}

[lifecycle]
  version = ${JSON.stringify(version)}
  sbom-formats = ${list(SBOM_MEDIA_TYPES)}
`;
}

function list(texts) {
  return `[${texts.map((text) => JSON.stringify(text)).join(", ")}]`;
}
